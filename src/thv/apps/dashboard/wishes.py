"""A form about a registry of one's own: to the body that the API takes, and what the API says of it back to its fields.

In the flow: between the page `/generate` and the API's rows that render and create. Pure: what is right is said by the
API alone, here is only known which field is which member.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from thv.apps.dashboard.forms import Form, first, words
from thv.apps.dashboard.selection import anchor, parts
from thv.apps.kit.http.problems import ProblemError

JsonObject: TypeAlias = dict[str, Any]
Errors: TypeAlias = dict[str, list[str]]
"""What is wrong, by the name of the field; under `""` what belongs to none."""

SWITCHES = ("enforce_servers", "enforce_tools", "auto_sync")
AMOUNTS = ("cpu", "cpu_limit", "memory", "memory_limit")
_ELSEWHERE = {
    "query.image_registry": "image_registry",
    "path.namespace": "namespace",
    "namespace": "namespace",
    "body.metadata.namespace": "namespace",
    "body.metadata.registry_name": "registry_name",
    "metadata.registry_name": "registry_name",
    "body.metadata.display_name": "display_name",
    **{f"body.configuration.{each}": each for each in SWITCHES},
}
_LABELS = {
    "registry_name": "Name",
    "namespace": "Namespace",
    "display_name": "Title",
    "image_registry": "Mirror of the images",
    "include_tags": "Tags",
    "exclude_tags": "Tags",
    "enforce_servers": "Allowed servers",
    "enforce_tools": "Allowed tools",
    "custom_image": "image",
    "custom_image_digest": "digest",
    "server": "server",
    "tools": "tools",
    "cpu": "CPU",
    "cpu_limit": "CPU at most",
    "memory": "memory",
    "memory_limit": "memory at most",
}
_OF_SERVER = re.compile(r"(?:body\.)?servers\[(\d+)\](?:\.configuration)?\.(.+)", re.DOTALL)
_TAGS = re.compile(r"body\.filters\.global_tags\.(include|exclude)")


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server that was put aside, as the API knows it."""

    key: str
    """`namespace/registry/name`."""
    trouble: str = ""
    """Why it cannot be taken; `""` where it can."""
    export: JsonObject = {}  # msgspec makes a new one for each
    """What the API's export says of it."""

    @property
    def prefix(self) -> str:
        """In front of the names of its fields."""
        return anchor(self.key)

    @property
    def name(self) -> str:
        """As its registry has it."""
        return parts(self.key)[2]

    @property
    def registry(self) -> str:
        """`namespace/name`."""
        return "/".join(parts(self.key)[:2])

    @property
    def definition(self) -> JsonObject:
        """What there is to know about it."""
        found: JsonObject = next(iter(self.export.get("definitions", {}).values()), {})
        return found

    @property
    def tools(self) -> dict[str, str]:
        """Its tools with what they do, in its own order."""
        return {each["name"]: each["description"] for each in self.definition.get("tools", ())}

    @property
    def variables(self) -> list[JsonObject]:
        """What it reads of its environment."""
        config: JsonObject = self.definition.get("deployment_config", {})
        found: list[JsonObject] = config.get("env_vars", [])
        return found

    @property
    def recommended(self) -> JsonObject:
        """What it should have of a machine."""
        config: JsonObject = self.definition.get("deployment_config", {})
        found: JsonObject = config.get("recommended_resources", {})
        return found

    @property
    def suggested(self) -> JsonObject:
        """What the export says of its image."""
        found: JsonObject = self.export["servers"][0]["configuration"] if self.export else {}
        return found


# ---------------------------------------------------------------- to the API


def first_form(servers: Sequence[Server], namespace: str) -> Form:
    """The form as nobody changed it yet."""
    usable = [each for each in servers if not each.trouble]
    suggested = usable[0].export["metadata"] if len(usable) == 1 else {}
    form: Form = {
        "namespace": [namespace],
        "registry_name": [suggested.get("registry_name", "my-registry")],
        "display_name": [suggested.get("display_name", "")],
        "server": [each.key for each in servers],
    }
    return form | {f"{each.prefix}.tools": list(each.tools) for each in usable}


def body_of(form: Form, servers: Iterable[Server]) -> JsonObject:
    """What the API is asked; what was left empty is left out."""
    metadata = _said(form, "registry_name", "display_name")
    tags = {side: words(first(form, f"{side}_tags")) for side in ("include", "exclude")}
    body: JsonObject = {
        "metadata": metadata,
        "configuration": {each: bool(first(form, each)) for each in SWITCHES},
        "servers": [_server(form, each) for each in servers],
    }
    if any(tags.values()):
        body["filters"] = {"global_tags": tags}
    return body


def _server(form: Form, server: Server) -> JsonObject:
    configuration = {
        **_said(form, "custom_image", "custom_image_digest", prefix=f"{server.prefix}."),
        **_tools(form, server),
        "env_overrides": _marked(form, f"{server.prefix}.env:"),
        "resources": _said(form, *AMOUNTS, prefix=f"{server.prefix}."),
    }
    said = {key: value for key, value in configuration.items() if value or key == "tools_filter"}
    return {"name": server.name, "registry": server.registry, "configuration": said}


def _tools(form: Form, server: Server) -> JsonObject:
    """No filter where all tools are wanted, so that there is none to keep in step."""
    renamed = _marked(form, f"{server.prefix}.name:")
    chosen = form.get(f"{server.prefix}.tools", [])
    found: JsonObject = {"tool_overrides": {tool: {"name": name} for tool, name in renamed.items()}}
    if set(chosen) != set(server.tools):
        found["tools_filter"] = chosen
    return found


def _said(form: Form, *names: str, prefix: str = "") -> dict[str, str]:
    """The fields that are filled in, by their names."""
    found = {name: first(form, prefix + name) for name in names}
    return {name: value for name, value in found.items() if value}


def _marked(form: Form, mark: str) -> dict[str, str]:
    """The fields whose names begin with this and that are filled in, by the rest of their names."""
    names = [name for name in form if name.startswith(mark)]
    return {name.removeprefix(mark): first(form, name) for name in names if first(form, name)}


# ---------------------------------------------------------------- and back


def errors_of(problem: ProblemError, servers: Sequence[Server]) -> Errors:
    """What the API refuses, at the fields that it is about; `servers` are those that it was asked for."""
    said = [(each.location, each.message) for each in problem.culprits]
    found: Errors = {}
    for location, message in said or [(problem.field, problem.message)]:
        found.setdefault(field_of(location, servers), []).append(message)
    return found


def warnings_of(said: Iterable[Mapping[str, Any]], servers: Sequence[Server]) -> Iterator[str]:
    """What the API finds worth knowing, in words."""
    for each in said:
        of_server = _OF_SERVER.fullmatch(each["field"])
        who = f"{servers[int(of_server[1])].name}: " if of_server else ""
        yield f"{who}{each['message']}"


def field_of(location: str, servers: Sequence[Server]) -> str:
    """The field that a member of the body comes from; `""` where there is none."""
    if location in _ELSEWHERE:
        return _ELSEWHERE[location]
    if tags := _TAGS.match(location):
        return f"{tags[1]}_tags"
    of_server = _OF_SERVER.fullmatch(location)
    if of_server is None or int(of_server[1]) >= len(servers):
        return ""
    return f"{servers[int(of_server[1])].prefix}.{_member(of_server[2])}"


def label_of(field: str, servers: Iterable[Server]) -> str:
    """What a field is called where it does not stand before one's eyes."""
    prefix, _, member = field.partition(".")
    who = next((each.name for each in servers if each.prefix == prefix), "")
    if not who:
        return _LABELS.get(field, field)
    kind, _, rest = member.partition(":")
    return f"{who}, {rest or _LABELS.get(kind, kind)}"


def _member(path: str) -> str:
    """The part of a field's name that stands behind the server."""
    if path.startswith("tools_filter"):
        return "tools"
    if path.startswith("tool_overrides."):
        return f"name:{path.removeprefix('tool_overrides.').removesuffix('.name')}"
    if path.startswith("env_overrides."):
        return f"env:{path.removeprefix('env_overrides.')}"
    if path.startswith("resources."):
        return path.removeprefix("resources.")
    return path if path in ("custom_image", "custom_image_digest") else "server"
