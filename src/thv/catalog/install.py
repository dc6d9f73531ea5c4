"""What an entry of a registry becomes when somebody installs it: an MCPServer, and a tool config where tools are chosen.

In the flow: after an entry was found, before the objects are written. Pure: what a user chose comes in, objects
and remarks go out, or an error that names the choice to make.
"""

from __future__ import annotations

import difflib
from typing import Any

import msgspec

from thv.catalog.choices import Choice, ChoiceError, Choices
from thv.catalog.inputs import inputs_of
from thv.catalog.told import OPEN_ARGUMENT
from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry, Status
from thv.domain.errors import Code, ThvError
from thv.domain.facts import Facts
from thv.domain.lenient import as_object, as_texts
from thv.domain.reach import Reach, outbound_of
from thv.domain.resources import PREFIX, Kind
from thv.domain.selectors import dns_label_problem
from thv.domain.target import Container, NotRunnable, Package, Remote, image_tag, target_of
from thv.domain.text import label_value, object_name
from thv.formats.images import is_digest, is_reference
from thv.formats.toolhive import placed_entry

SOURCE = "registry.toolhive.io/source"
"""The annotation of a server that names its registry."""
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTALLER = "thv"
NAME_LIMIT = 53
"""Of a server: the Service in front of it is called mcp-NAME-proxy, which is a label of DNS."""
OWN_BLOCK = "toolhive.stacklok.io"
"""The key of `custom_metadata` that holds what only this product says of an entry."""


class Origin(msgspec.Struct, frozen=True):
    """The registry that holds the entry."""

    namespace: str
    name: str


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Where servers are kept."""

    server: Kind
    tool_config: Kind
    packages: bool
    """Packages of npm and PyPI are run there, not only images."""


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The objects to write, in their order, and what a person should know about them."""

    server: JsonObject
    tool_config: JsonObject | None
    notes: tuple[str, ...]

    @property
    def objects(self) -> tuple[JsonObject, ...]:
        """The tool config first: a server whose config is missing does not start."""
        return (self.tool_config, self.server) if self.tool_config else (self.server,)


def installation(
    entry: Entry, facts: Facts, origin: Origin, choices: Choices, ground: Ground
) -> Installation:
    """The objects that install the entry; raises ChoiceError, and INVALID for what cannot be installed."""
    there = placed_entry(entry).value
    image, name = _image(entry, facts, there, choices, ground), _name(facts, choices)
    inputs = inputs_of(facts.key, there, choices)
    tools = _tools(facts, choices)
    labels = origin_labels(origin, facts)
    config = _tool_config(ground, name, choices.namespace, labels, tools) if tools else None
    spec = _given(
        image=image,
        transport=facts.transport,
        **_ports(there, choices, ground.server),
        args=_arguments(facts.key, there, choices),
        env=inputs.env,
        secrets=inputs.secrets,
        permissionProfile=_profile(there, choices),
        resources=choices.resources or _resources(there),
        toolConfigRef={"name": config["metadata"]["name"]} if config else None,
    )
    metadata = {
        "name": name,
        "namespace": choices.namespace,
        "labels": labels,
        "annotations": origin_annotations(entry, origin, facts),
    }
    return Installation(
        server=_object_of(ground.server, metadata, spec),
        tool_config=config,
        notes=(*_remarks(entry, facts, there, image, choices), *inputs.notes),
    )


# What is run -----------------------------------------------------------------------------------------------


def _image(entry: Entry, facts: Facts, there: JsonObject, choices: Choices, ground: Ground) -> str:
    target = target_of(entry.server)
    match target:
        case Container():
            return _pinned(facts.key, target.reference, there, choices)
        case Package() if ground.packages:
            return target.reference
        case Package():
            scheme, _, what = target.reference.partition("://")
            raise _not_installable(
                f'"{facts.key}" is the package {what} for {scheme}, and a cluster runs container images',
                "Install a server that comes as an image, or build one of the package.",
            )
        case Remote():
            raise _not_installable(
                f'"{facts.key}" is a remote server: somebody runs it at {target.reference}',
                "Nothing needs to be installed; give clients that URL.",
            )
        case NotRunnable():
            raise _not_installable(
                f'"{facts.key}" names nothing that can be run: {target.reason}',
                "Ask its publisher for an image.",
            )


def _not_installable(message: str, hint: str) -> ThvError:
    return ThvError(Code.INVALID, message, hint=hint)


def _pinned(key: str, image: str, there: JsonObject, choices: Choices) -> str:
    """The image with its digest, where one is known."""
    if not is_reference(image):
        raise _not_installable(
            f'the image "{image}" of "{key}" is no reference that a runtime can look for',
            "Tell whoever keeps the registry.",
        )
    plain, _, pinned = image.partition("@")
    digest = choices.image_digest or str(_own_block(there).get("image_digest") or "")
    if choices.image_digest and not is_digest(digest):
        raise ChoiceError(
            Choice.DIGEST, f'"{digest}" is no digest: it is sha256: and 64 hex digits'
        )
    if choices.image_digest and pinned not in ("", digest):
        raise ChoiceError(Choice.DIGEST, f'"{key}" has the image {pinned}, not {digest}')
    if pinned or not is_digest(digest):
        return image
    return f"{plain}@{digest}"


def _ports(there: JsonObject, choices: Choices, kind: Kind) -> dict[str, int | None]:
    """The port of the proxy and that of the server, as this version of the kind calls them."""
    names = ("proxyPort", "mcpPort") if kind.version == "v1beta1" else ("port", "targetPort")
    chosen = (
        choices.port or _port(there.get("proxy_port")),
        choices.target_port or _port(there.get("target_port")),
    )
    return dict(zip(names, chosen, strict=True))


def _resources(there: JsonObject) -> JsonObject:
    """What the entry recommends, in the words of Kubernetes."""
    said = as_object(_own_block(there).get("resources"))
    amounts = {key: value for key, value in said.items() if isinstance(value, str)}
    return _given(
        requests=_given(cpu=amounts.get("cpu"), memory=amounts.get("memory")),
        limits=_given(cpu=amounts.get("cpu_limit"), memory=amounts.get("memory_limit")),
    )


def open_arguments(there: JsonObject) -> list[str]:
    """The arguments of an entry, if only a user can complete them."""
    arguments = as_texts(there.get("args"))
    return arguments if any(map(OPEN_ARGUMENT.fullmatch, arguments)) else []


def _arguments(key: str, there: JsonObject, choices: Choices) -> list[str]:
    """Those of the user in place of the entry's."""
    arguments = list(choices.args) or as_texts(there.get("args"))
    if not choices.args and open_arguments(there):
        words = " ".join(arguments)
        raise ChoiceError(
            Choice.ARGS, f'"{key}" wants arguments that only you know: {words}', arguments
        )
    return arguments


def _profile(there: JsonObject, choices: Choices) -> JsonObject | None:
    """What it may reach: what was chosen, else what the entry declares, nothing where it declares nothing."""
    if choices.profile is not None:
        chosen: JsonObject = msgspec.to_builtins(choices.profile)
        return chosen if chosen["type"] == "configmap" else _only(chosen, "type", "name")
    permissions = as_object(there.get("permissions"))
    if not permissions:
        return None
    opens = any(_outbound(permissions).get(key) for key in _OPENING)
    return {"type": "builtin", "name": "network" if opens else "none"}


_OPENING = ("insecure_allow_all", "allow_host", "allow_port")


def _outbound(permissions: JsonObject) -> JsonObject:
    return as_object(as_object(permissions.get("network")).get("outbound"))


# Tools -----------------------------------------------------------------------------------------------------


def _tools(facts: Facts, choices: Choices) -> list[str]:
    """The chosen tools; an entry that names none leaves the choice free."""
    chosen = list(dict.fromkeys(choices.tools))
    unknown = [tool for tool in chosen if facts.tools and tool not in facts.tools]
    if unknown:
        near = [name for tool in unknown for name in difflib.get_close_matches(tool, facts.tools)]
        message = f'"{facts.key}" has no tool {", ".join(unknown)}'
        raise ChoiceError(Choice.TOOLS, message, unknown, meant=near)
    return chosen


def tool_config_name(server: str) -> str:
    """Of the tool config that belongs to a server."""
    return f"{server}-tools"


def _tool_config(
    ground: Ground, server: str, namespace: str, labels: dict[str, str], tools: list[str]
) -> JsonObject:
    metadata = {
        "name": tool_config_name(server),
        "namespace": namespace,
        "labels": {**labels, MANAGED_BY: INSTALLER},
    }
    return _object_of(ground.tool_config, metadata, {"toolsFilter": tools})


# Metadata --------------------------------------------------------------------------------------------------


def _name(facts: Facts, choices: Choices) -> str:
    name = choices.name or default_name(facts.key)
    problem = dns_label_problem(name)
    if not problem and len(name) > NAME_LIMIT:
        problem = f"must have at most {NAME_LIMIT} characters"
    if problem:
        raise ChoiceError(Choice.NAME, f'the name "{name}" {problem}', [name])
    return name


def default_name(key: str) -> str:
    """The last part of a server's name, as an object may be called."""
    return object_name(key.rpartition("/")[2])[:NAME_LIMIT].rstrip("-")


def origin_labels(origin: Origin, facts: Facts) -> dict[str, str]:
    """What one selects by who looks for servers of a registry."""
    texts = {
        "registry-name": origin.name,
        "registry-namespace": origin.namespace,
        "server-name": facts.key,
        "tier": facts.tier,
        "category": facts.category,
    }
    return {PREFIX + key: label_value(text) for key, text in texts.items() if text}


def origin_annotations(entry: Entry, origin: Origin, facts: Facts) -> dict[str, str]:
    """What is exact or long."""
    return {
        SOURCE: origin.name,
        f"{PREFIX}server-name": facts.key,
        f"{PREFIX}server-version": entry.version,
        f"{PREFIX}revision": entry.digest,
    }


def _object_of(kind: Kind, metadata: JsonObject, spec: JsonObject) -> JsonObject:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}


# Remarks ---------------------------------------------------------------------------------------------------


def _remarks(
    entry: Entry, facts: Facts, there: JsonObject, image: str, choices: Choices
) -> list[str]:
    """What the entry says and the server will not be, or not for long."""
    notes = []
    if facts.status is Status.DEPRECATED:
        why = f": {entry.status_message}" if entry.status_message else ""
        notes.append(f'"{facts.key}" is deprecated{why}')
    if "@" not in image and image_tag(image) in ("", "latest"):
        notes.append(f"the image {image} is not pinned: what it is may change")
    permissions = as_object(there.get("permissions"))
    outbound = outbound_of(permissions)
    if outbound.reach is Reach.NAMED_HOSTS and choices.profile is None:
        hosts = outbound.hosts
        shown = ", ".join(hosts[:5]) + (", ..." if len(hosts) > 5 else "")
        notes.append(
            f'it asks for {shown} and no other host; the profile "network" opens every host, and only what the cluster itself '
            "says of outgoing connections keeps it to these"
        )
    if permissions.get("privileged") is True:
        notes.append("it asks to be privileged, which no server is")
    paths = [*as_texts(permissions.get("read")), *as_texts(permissions.get("write"))]
    if paths:
        shown = ", ".join(dict.fromkeys(paths))
        notes.append(f"it wants paths of the host, which no server has: {shown}")
    return notes


def _own_block(there: JsonObject) -> JsonObject:
    return as_object(as_object(there.get("custom_metadata")).get(OWN_BLOCK))


def _port(value: Any) -> int | None:
    return value if type(value) is int and 1 <= value <= 65535 else None


def _only(value: JsonObject, *keys: str) -> JsonObject:
    return {key: value[key] for key in keys}


def _given(**members: Any) -> JsonObject:
    """The members that say something."""
    return {key: value for key, value in members.items() if value}
