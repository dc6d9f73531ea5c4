"""Manifests of a registry of one's own, as values.

In the flow: after `entry`, before `create` and `files`. The same request over the same snapshots gives the same values,
to the byte of every text in them.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Sequence

import msgspec

from thv.catalog.generate.entry import Chosen, chosen_entry
from thv.catalog.generate.refusals import refused
from thv.catalog.generate.request import TOOL_NAME, Override, Request, configured, place_of
from thv.catalog.generate.resolve import Candidate
from thv.domain.canonical import JsonObject, digest_of
from thv.domain.errors import Code, FieldError, InvalidError
from thv.domain.filter import Filter, Selection, compile_filter
from thv.domain.pending import MANAGED_BY, MANAGER, REGISTRY_NAME
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY, PREFIX, TOOL_CONFIG, Kind
from thv.domain.text import label_value, object_name
from thv.formats.mapping import REMOTE_SERVERS, SERVERS

GENERATED_FROM = f"{PREFIX}generated-from"
SYNC_REQUESTED = f"{PREFIX}sync-requested-at"
SERVER_NAME = f"{PREFIX}server-name"
SERVER_VERSION = f"{PREFIX}server-version"

TEXT_LIMIT = 200 * 1024
"""Bytes of JSON text that kubectl still remembers in an annotation when it applies by itself."""
DATA_LIMIT = 900 * 1024
_KEY, _PACKED_KEY = "registry.json", "registry.json.gz"


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """What a request comes to."""

    request: Request
    config_map: JsonObject
    tool_configs: tuple[JsonObject, ...]
    registry: JsonObject
    images: tuple[JsonObject, ...]
    beyond: tuple[FieldError, ...]
    """What of it lies outside: a network without a way out does without these servers."""
    warnings: tuple[FieldError, ...]

    @property
    def manifests(self) -> list[JsonObject]:
        """In an order in which they can be applied: what is referred to comes first."""
        return [self.config_map, *self.tool_configs, self.registry]


def generate(
    request: Request, candidates: Sequence[Candidate], image_registry: str = ""
) -> Generation:
    """The manifests; `candidates` are what the servers of the request mean, in their order.

    Raises InvalidError for what does not fit, POLICY_REFUSED for more than a ConfigMap holds.
    """
    chosen = _chosen(request, candidates, image_registry)
    _check_together(request, chosen)
    content = _content(chosen)
    config_map = _config_map(request, content, chosen)
    beyond = tuple(_unreachable(each) for each in chosen if each.beyond)
    return Generation(
        request=request,
        config_map=config_map,
        tool_configs=tuple(_tool_config(request, each) for each in chosen if each.has_tool_config),
        registry=_registry(request, config_map, digest_of(content), chosen),
        images=tuple(_image(each) for each in chosen if each.image),
        beyond=beyond,
        # Whoever mirrors images has a network without a way out; to others it is nothing to be warned of.
        warnings=(
            *_large(config_map),
            *(each for one in chosen for each in one.warnings),
            *(beyond if image_registry else ()),
        ),
    )


def _chosen(request: Request, candidates: Sequence[Candidate], image_registry: str) -> list[Chosen]:
    """Raises InvalidError that names the culprits of all servers."""
    chosen: list[Chosen] = []
    errors: list[FieldError] = []
    pairs = zip(request.servers, candidates, strict=True)
    for index, (choice, candidate) in enumerate(pairs):
        try:
            chosen.append(chosen_entry(index, choice, candidate, image_registry))
        except InvalidError as error:
            errors += error.errors
    if errors:
        raise InvalidError("the request", errors)
    return chosen


# ---------------------------------------------------------------- what holds for several fields


def _check_together(request: Request, chosen: Sequence[Chosen]) -> None:
    errors = [
        *_twice(chosen),
        *_filtered(request, chosen),
        *(_toolless(chosen) if request.enforce_tools else ()),
        *_unnameable(chosen),
    ]
    if errors:
        raise InvalidError("the request", errors)


def _twice(chosen: Sequence[Chosen]) -> Iterable[FieldError]:
    """A server has two names, so that a list without equal names may still name it twice."""
    seen: dict[str, str] = {}
    for each in chosen:
        other = seen.setdefault(each.key, each.choice.name)
        if other != each.choice.name:
            message = f'must not have "{each.choice.name}" twice: "{other}" is the same server'
            yield FieldError("servers", message, each.choice.name)


def _filtered(request: Request, chosen: Sequence[Chosen]) -> Iterable[FieldError]:
    passes = compile_filter(_filter(request))
    for each in chosen:
        if not passes(each.facts):
            tags = ", ".join(each.facts.tags) or "none"
            message = f"would be dropped by filters.global_tags: its tags are {tags}"
            yield FieldError(place_of(each.index, "name"), message, each.choice.name)


def _toolless(chosen: Sequence[Chosen]) -> Iterable[FieldError]:
    for each in chosen:
        if not each.shown:
            message = "must be given, because configuration.enforce_tools is true and the server does not say which tools it has"
            yield FieldError(configured(each.index, "tools_filter"), message)


def _unnameable(chosen: Sequence[Chosen]) -> Iterable[FieldError]:
    """Tools of entries have names of every kind; those of a tool config do not."""
    for each in chosen:
        if each.choice.tools_filter is None:
            continue
        for name in each.shown.values():
            if not TOOL_NAME.fullmatch(name):
                message = f'an MCPToolConfig cannot name the tool "{name[:100]}"; give it another name in tool_overrides'
                yield FieldError(configured(each.index, "tools_filter"), message, name)


# ---------------------------------------------------------------- ConfigMap


def content_of(chosen: Sequence[Chosen]) -> JsonObject:
    """The document of the registry. Its time is that of the newest snapshot that it is made from."""
    placed = sorted(chosen, key=lambda each: each.key)
    document: JsonObject = {
        "version": "1.0.0",
        "last_updated": max(each.candidate.origin.snapshot_at for each in chosen),
        SERVERS: {each.key: each.value for each in placed if each.section == SERVERS},
    }
    remote = {each.key: each.value for each in placed if each.section == REMOTE_SERVERS}
    if remote:
        document[REMOTE_SERVERS] = remote
    return document


def _content(chosen: Sequence[Chosen]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content_of(chosen)), indent=2) + b"\n"


def _config_map(request: Request, content: bytes, chosen: Sequence[Chosen]) -> JsonObject:
    text = content.decode()
    if len(msgspec.json.encode(text)) <= TEXT_LIMIT:
        data: JsonObject = {"data": {_KEY: text}}
    else:
        data = {"binaryData": {_PACKED_KEY: base64.b64encode(_packed(content)).decode()}}
    return _object(CONFIG_MAP, request, f"{request.registry_name}-data", chosen) | data


def _large(config_map: JsonObject) -> Iterable[FieldError]:
    """Packed once is not always enough for the annotation."""
    if len(config_map.get("binaryData", {}).get(_PACKED_KEY, "")) > TEXT_LIMIT:
        message = "the ConfigMap is too large for kubectl apply by itself: use kubectl apply --server-side"
        yield FieldError("servers", message)


def _packed(content: bytes) -> bytes:
    packed = gzip.compress(content, mtime=0)
    if len(packed) > DATA_LIMIT:
        message = (
            f"the servers take {len(packed) >> 10} KiB, and a ConfigMap holds {DATA_LIMIT >> 10}; choose fewer,"
            " or ship the registry as an OCI artifact"
        )
        raise refused(Code.POLICY_REFUSED, "servers", message, len(packed))
    return packed


# ---------------------------------------------------------------- MCPToolConfig


def _tool_config(request: Request, chosen: Chosen) -> JsonObject:
    name = f"{request.registry_name}-{object_name(chosen.key)}"
    made = _object(TOOL_CONFIG, request, name, [chosen])
    metadata = made["metadata"]
    metadata["labels"][SERVER_NAME] = label_value(chosen.key)
    metadata["annotations"] |= {
        SERVER_NAME: chosen.key,
        SERVER_VERSION: chosen.candidate.entry.version,
    }
    spec: JsonObject = {}
    if chosen.choice.tools_filter is not None:
        spec["toolsFilter"] = list(chosen.shown.values())
    if chosen.choice.tool_overrides:
        overrides = sorted(chosen.choice.tool_overrides.items())
        spec["toolsOverride"] = {tool: _words(override) for tool, override in overrides}
    return {**made, "spec": spec}


def _words(override: Override) -> JsonObject:
    said = {"name": override.name, "description": override.description}
    return {field: words for field, words in said.items() if words is not None}


# ---------------------------------------------------------------- MCPRegistry


def _registry(
    request: Request, config_map: JsonObject, content: str, chosen: Sequence[Chosen]
) -> JsonObject:
    made = _object(MCP_REGISTRY, request, request.registry_name, chosen)
    # A registry that is not synchronized by itself is asked to, whenever its content is another one.
    made["metadata"]["annotations"][SYNC_REQUESTED] = content
    key = _KEY if "data" in config_map else _PACKED_KEY
    spec: JsonObject = {
        "format": "toolhive",
        "source": {
            "type": "configmap",
            "configMap": {"name": config_map["metadata"]["name"], "key": key},
        },
        "syncPolicy": {"enabled": request.auto_sync},
        "enforceServers": request.enforce_servers,
        "enforceTools": request.enforce_tools,
    }
    if request.display_name:
        spec = {"displayName": request.display_name, **spec}
    if tags := _tags(request):
        spec["filter"] = {side: {"tags": list(words)} for side, words in tags.items()}
    return {**made, "spec": spec}


def _tags(request: Request) -> dict[str, tuple[str, ...]]:
    sides = {"include": request.include_tags, "exclude": request.exclude_tags}
    return {side: words for side, words in sides.items() if words}


def _filter(request: Request) -> Filter:
    return Filter(**{side: Selection(tags=words) for side, words in _tags(request).items()})


# ---------------------------------------------------------------- of every object


def _object(kind: Kind, request: Request, name: str, chosen: Sequence[Chosen]) -> JsonObject:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": name,
            "namespace": request.namespace,
            "labels": {MANAGED_BY: MANAGER, REGISTRY_NAME: request.registry_name},
            "annotations": {GENERATED_FROM: _generated_from(chosen)},
        },
    }


def _generated_from(chosen: Sequence[Chosen]) -> str:
    origins = {each.candidate.origin.path: each.candidate.origin.snapshot for each in chosen}
    return ",".join(f"{path}@{snapshot}" for path, snapshot in sorted(origins.items()))


def _image(chosen: Chosen) -> JsonObject:
    said = {"digest": chosen.image_digest, "source": chosen.source}
    known = {member: value for member, value in said.items() if value}
    return {"server": chosen.key, "image": chosen.image, **known}


def _unreachable(chosen: Chosen) -> FieldError:
    message = f"{chosen.beyond}, and does not work in a network without a way out"
    return FieldError(place_of(chosen.index, "name"), message, chosen.key)
