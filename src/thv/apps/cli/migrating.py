"""Kubernetes manifests of a registry file, and of the MCPRegistry of an older ToolHive.

In the flow: behind `thv registry migrate`. The document goes into a ConfigMap as it is while a plain
`kubectl apply` can carry it, else compressed; beyond the limit of a ConfigMap it has to come from elsewhere.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from thv.apps.cli.console import safe_json
from thv.apps.cli.exits import CommandError
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY, PREFIX, metadata_of

KEY = "registry.json"
DATA_LIMIT = 1 << 20
"""What a ConfigMap may hold."""
PLAIN_LIMIT = 240_000
"""`kubectl apply` repeats the object in an annotation, which may have 262,144 bytes."""
_UNSAFE_IN_YAML = re.compile(
    "[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[\x85\u2028\u2029]"
)


class Packed(msgspec.Struct, frozen=True):
    """A document as a ConfigMap holds it."""

    text: str = ""
    packed: bytes = b""

    @property
    def key(self) -> str:
        return KEY if self.text else f"{KEY}.gz"

    @property
    def needs_server_side(self) -> bool:
        """Whether a plain `kubectl apply` cannot carry it."""
        return len(self.packed) * 4 // 3 > PLAIN_LIMIT


def pack(pieces: Iterable[bytes]) -> Packed:
    """The document, plain or compressed; raises SIZE_LIMIT_EXCEEDED when even that is too large."""
    # The time stamp of the frame is zero: the same document gives the same manifest.
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    plain, packed, size = bytearray(), bytearray(), 0
    for piece in pieces:
        size += len(piece)
        if size <= PLAIN_LIMIT:
            plain += piece
        packed += compressor.compress(piece)
        if len(packed) > DATA_LIMIT:
            raise _too_large()
    packed += compressor.flush()
    if len(packed) > DATA_LIMIT:
        raise _too_large()
    text = _text(bytes(plain)) if size <= PLAIN_LIMIT else ""
    if text and len(msgspec.json.encode(text)) <= PLAIN_LIMIT:
        return Packed(text=text)
    return Packed(packed=bytes(packed))


def _text(content: bytes) -> str:
    """As YAML can hold it; what it cannot is spelled as JSON spells it, which changes no value."""
    text = content.decode("utf-8-sig").replace("\r\n", "\n")
    return safe_json(text) if _UNSAFE_IN_YAML.search(text) else text


def _too_large() -> CommandError:
    return CommandError(
        Code.SIZE_LIMIT_EXCEEDED,
        "the document is too large for a ConfigMap: more than 1 MiB even when it is compressed",
        tries=[
            "put it where it can be fetched:  --as url --url https://HOST/registry.json",
            "or into a repository:  --as git --git-repo https://HOST/REPOSITORY.git --git-path registry.json",
        ],
    )


# Objects ---------------------------------------------------------------------------------------------------


def metadata(name: str, namespace: str) -> JsonObject:
    """Name, and the namespace where somebody has said one."""
    return {"name": name, **({"namespace": namespace} if namespace else {})}


def registry(meta: JsonObject, source: JsonObject, **more: Any) -> JsonObject:
    """The MCPRegistry over a source."""
    given = {key: value for key, value in more.items() if value}
    return {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": meta,
        "spec": {**given, "source": source},
    }


def config_map_yaml(meta: JsonObject, packed: Packed) -> str:
    """The ConfigMap with the document readable in it, where it is plain."""
    head = _yaml({"apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.kind, "metadata": meta})
    if packed.text:
        return f"{head}data:\n  {packed.key}: {_block(packed.text)}"
    return f"{head}binaryData:\n  {packed.key}: {base64.b64encode(packed.packed).decode()}\n"


def config_map(meta: JsonObject, packed: Packed) -> JsonObject:
    """The same as an object."""
    data = (
        {"data": {packed.key: packed.text}}
        if packed.text
        else {"binaryData": {packed.key: base64.b64encode(packed.packed).decode()}}
    )
    return {"apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.kind, "metadata": meta, **data}


def _block(text: str) -> str:
    """A literal block; its mark says how the text ends, and how far it is indented."""
    kept = text.rstrip("\n")
    endings = len(text) - len(kept)
    mark = "|2" + ("-" if endings == 0 else "" if endings == 1 else "+")
    lines = [f"    {line}" if line else "" for line in kept.split("\n")]
    return "\n".join([mark, *lines]) + "\n" * max(1, endings)


def _yaml(value: JsonObject) -> str:
    return msgspec.yaml.encode(value).decode()


def documents(objects: Iterable[str]) -> Iterator[bytes]:
    """YAML documents, one after the other."""
    for number, text in enumerate(objects):
        yield (("---\n" if number else "") + text).encode()


# The MCPRegistry of an older ToolHive ----------------------------------------------------------------------

_MOVED = {"configmap": "configMap"}
_KNOWN = {
    "displayName",
    "description",
    "source",
    "syncPolicy",
    "filter",
    "enforceServers",
    "trustLevel",
}


def upgraded(obj: JsonObject) -> tuple[JsonObject, list[str]]:
    """The MCPRegistry as this version reads it, and what was left out."""
    spec = obj.get("spec")
    source = spec.get("source") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(source, dict):
        raise CommandError(
            Code.FORMAT_UNSUPPORTED,
            "the MCPRegistry has no spec.source; only those of ToolHive's v1alpha1 can be migrated",
            tries=["thv explain mcpregistry.spec.source"],
        )
    left_out = [f"spec.{key}" for key in spec if key not in _KNOWN]
    format_ = source.get("format")
    new = {key: value for key, value in spec.items() if key in _KNOWN and key != "source"}
    if isinstance(format_, str) and format_:
        new["format"] = format_
    new["source"] = _source(source, left_out)
    if isinstance(spec.get("filter"), dict):
        new["filter"] = _filter(spec["filter"], left_out)
    meta = {
        key: value
        for key, value in metadata_of(obj).items()
        if key in ("name", "namespace", "labels", "annotations")
    }
    _rename_annotations(meta)
    return {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": meta,
        "spec": new,
    }, left_out


def _source(source: JsonObject, left_out: list[str]) -> JsonObject:
    kind = str(source.get("type") or "configmap")
    if kind == "api":
        api = source.get("api") if isinstance(source.get("api"), dict) else {}
        return {"type": "registry", "registry": {"url": str((api or {}).get("endpoint", ""))}}
    if kind not in ("configmap", "git", "url", "registry"):
        raise CommandError(
            Code.FORMAT_UNSUPPORTED,
            f'spec.source.type "{kind}" has no counterpart here',
            tries=["thv explain mcpregistry.spec.source"],
        )
    left_out += [
        f"spec.source.{key}"
        for key in source
        if key not in ("type", "format", kind, _MOVED.get(kind, kind))
    ]
    block = _MOVED.get(kind, kind)
    return {"type": kind, block: source.get(block) or source.get(kind) or {}}


def _filter(old: JsonObject, left_out: list[str]) -> JsonObject:
    """`names.include` was what is `include.names` now."""
    new: JsonObject = {}
    for what in ("names", "tags"):
        lists = old.get(what)
        for side in ("include", "exclude"):
            if isinstance(lists, dict) and lists.get(side):
                new.setdefault(side, {})[what] = lists[side]
    for side in ("include", "exclude"):
        if isinstance(old.get(side), dict):
            new[side] = {**old[side], **new.get(side, {})}
    left_out += [
        f"spec.filter.{key}" for key in old if key not in ("names", "tags", "include", "exclude")
    ]
    return new


def _rename_annotations(meta: JsonObject) -> None:
    for field in ("labels", "annotations"):
        texts = meta.get(field)
        if isinstance(texts, dict):
            meta[field] = {
                re.sub(r"^toolhive\.stacklok\.dev/", PREFIX, str(key)): value
                for key, value in texts.items()
                if key != "kubectl.kubernetes.io/last-applied-configuration"
            }
