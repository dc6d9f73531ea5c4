"""A request for a registry of one's own, read strictly: every wrong field is named with its path.

In the flow: first. What can be wrong without looking at any registry is refused here; `resolve` and `entry` look at
the entries that are named.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from thv.domain.canonical import JsonObject, canonical, digest_of
from thv.domain.entry import NAME_LIMIT, VERSION_LIMIT
from thv.domain.errors import FieldError, InvalidError
from thv.domain.quantities import amount
from thv.domain.toolconfig import TOOL_NAME_LIMIT
from thv.formats.images import is_reference

SERVER_LIMIT = 200
TOOL_LIMIT = 500
TAG_LIMIT = 50
REGISTRY_NAME_LIMIT = 52
"""What hangs on a registry has a longer name."""
READ_ONLY = ("definitions", "registry_data")
"""Members of an export that say what there is; nobody asks for anything by them."""

TOOL_NAME = re.compile(rf"[A-Za-z0-9_.-]{{1,{TOOL_NAME_LIMIT}}}", re.ASCII)
"""What an MCPToolConfig can name."""
_SHOWN = 256


class Amounts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Compute of a server, as Kubernetes writes amounts; `""` says nothing."""

    cpu: str = ""
    memory: str = ""
    cpu_limit: str = ""
    memory_limit: str = ""


class Override(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Other words for a tool; None keeps its own."""

    name: str | None = None
    description: str | None = None


class Choice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One server that is wanted, and how."""

    name: str
    registry: str = ""
    """Pins as `namespace/name` or `name`; `""` takes the best."""
    version: str = ""
    digest: str = ""
    custom_image: str = ""
    custom_image_digest: str = ""
    tools_filter: tuple[str, ...] | None = None
    tool_overrides: dict[str, Override] = msgspec.field(default_factory=dict)
    env_overrides: dict[str, str] = msgspec.field(default_factory=dict)
    resources: Amounts = Amounts()


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A registry that somebody wants to have."""

    namespace: str
    registry_name: str
    display_name: str = ""
    enforce_servers: bool = False
    enforce_tools: bool = False
    auto_sync: bool = False
    servers: tuple[Choice, ...]
    include_tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The same for the same request, however it was written."""
        return digest_of(canonical(msgspec.to_builtins(self)))


def place_of(index: int, field: str = "") -> str:
    """The path of a server of the request, or of a field of it."""
    return f"servers[{index}].{field}" if field else f"servers[{index}]"


def configured(index: int, field: str) -> str:
    """The path of a field of the configuration of a server."""
    return place_of(index, f"configuration.{field}")


def parse_request(body: JsonObject, namespace: str) -> Request:
    """The request; `namespace` is where the registry is to be. Raises InvalidError that names every culprit."""
    errors: list[FieldError] = []
    root = _Fields(body, "", errors)
    root.knows("metadata", "configuration", "servers", "filters", *READ_ONLY)
    metadata = root.object("metadata")
    metadata.knows("namespace", "registry_name", "display_name")
    _check_namespace(metadata, namespace)
    configuration = root.object("configuration")
    configuration.knows("enforce_servers", "enforce_tools", "auto_sync")
    filters = root.object("filters")
    filters.knows("global_tags")
    tags = filters.object("global_tags")
    tags.knows("include", "exclude")
    request = Request(
        namespace=namespace,
        registry_name=metadata.text("registry_name", _check_registry_name, is_required=True),
        display_name=metadata.text("display_name", _at_most(100)),
        enforce_servers=configuration.flag("enforce_servers"),
        enforce_tools=configuration.flag("enforce_tools"),
        auto_sync=configuration.flag("auto_sync"),
        servers=tuple(_choices(root, errors)),
        include_tags=tags.texts("include", _at_most(63), TAG_LIMIT) or (),
        exclude_tags=tags.texts("exclude", _at_most(63), TAG_LIMIT) or (),
    )
    if errors:
        raise InvalidError("the request", errors)
    return request


# ---------------------------------------------------------------- servers


def _choices(root: _Fields, errors: list[FieldError]) -> Iterable[Choice]:
    items = root.list("servers")
    if not items:
        root.refuse("servers", "must name at least one server")
    elif len(items) > SERVER_LIMIT:
        root.refuse("servers", f"must have at most {SERVER_LIMIT} servers", len(items))
        items = []
    seen: set[str] = set()
    for index, item in enumerate(items):
        choice = _choice(_Fields(item, place_of(index), errors))
        if choice.name and choice.name in seen:
            root.refuse("servers", f'must not have "{choice.name}" twice', choice.name)
        seen.add(choice.name)
        yield choice


def _choice(server: _Fields) -> Choice:
    server.knows("name", "registry", "version", "digest", "configuration")
    given = server.object("configuration")
    given.knows(
        "custom_image",
        "custom_image_digest",
        "tools_filter",
        "tool_overrides",
        "env_overrides",
        "resources",
    )
    image = given.text("custom_image", _check_image)
    digest = given.text("custom_image_digest", _check_digest)
    named = image.partition("@")[2]
    if named and digest and named != digest:
        given.refuse("custom_image_digest", "must be the digest in custom_image", digest)
    return Choice(
        name=server.text("name", _at_most(NAME_LIMIT), is_required=True),
        registry=server.text("registry", _check_registry),
        version=server.text("version", _at_most(VERSION_LIMIT)),
        digest=server.text("digest", _check_digest),
        custom_image=image.partition("@")[0],
        custom_image_digest=digest or named,
        tools_filter=_tools(given),
        tool_overrides=_overrides(given),
        env_overrides=_variables(given),
        resources=_amounts(given.object("resources")),
    )


def _tools(given: _Fields) -> tuple[str, ...] | None:
    tools = given.texts("tools_filter", _real_tool, TOOL_LIMIT)
    if tools == ():
        given.refuse("tools_filter", "must name a tool; leave it out to have all of them", [])
    return tools


def _overrides(given: _Fields) -> dict[str, Override]:
    found: dict[str, Override] = {}
    overrides = given.map("tool_overrides", TOOL_LIMIT)
    for tool in overrides.names():
        override = overrides.object(tool)
        override.knows("name", "description")
        name = override.optional("name", _check_tool)
        description = override.optional("description", _at_most(1024, least=0))
        if override.is_sound and not override.has("name", "description"):
            overrides.refuse(tool, "must have a name or a description")
        if problem := _real_tool(tool):
            overrides.refuse(tool, problem, tool)
        found[tool] = Override(name=name, description=description)
    return found


def _variables(given: _Fields) -> dict[str, str]:
    found: dict[str, str] = {}
    variables = given.map("env_overrides", TOOL_LIMIT)
    for name in variables.names():
        if not _VARIABLE.fullmatch(name):
            variables.refuse(name, 'must be called by letters, digits and "_", no digit in front')
            continue
        value = variables.unshown(name)
        if not isinstance(value, str) or len(value.encode()) > 4096 or "\0" in value:
            variables.refuse(name, "must be a text of at most 4096 bytes without a zero byte")
        else:
            found[name] = value
    return found


def _amounts(given: _Fields) -> Amounts:
    given.knows("cpu", "memory", "cpu_limit", "memory_limit")
    found = Amounts(
        cpu=given.text("cpu", _check_amount),
        memory=given.text("memory", _check_amount),
        cpu_limit=given.text("cpu_limit", _check_amount),
        memory_limit=given.text("memory_limit", _check_amount),
    )
    for field, asked, limit in (
        ("cpu", found.cpu, found.cpu_limit),
        ("memory", found.memory, found.memory_limit),
    ):
        if asked and limit and amount(asked) > amount(limit):
            given.refuse(field, f"must not be more than {field}_limit, which is {limit}", asked)
    return found


# ---------------------------------------------------------------- single texts

Problem = Callable[[str], str]
"""What a text must be that it is not, `""` for nothing."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,252}", re.ASCII)
_REGISTRY_NAME = re.compile(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?", re.ASCII)
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_REGISTRY = re.compile(rf"({_LABEL}/)?{_LABEL}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_AMOUNT = re.compile(
    r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?", re.ASCII
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _check_namespace(metadata: _Fields, namespace: str) -> None:
    given = metadata.text("namespace", _at_most(63))
    if given and given != namespace:
        message = f'must be the namespace of the path, "{namespace}", or be left out'
        metadata.refuse("namespace", message, given)


def _check_registry_name(text: str) -> str:
    if _REGISTRY_NAME.fullmatch(text):
        return ""
    return (
        f'must start with a letter, use only a-z, 0-9 and "-", and have at most'
        f" {REGISTRY_NAME_LIMIT} characters"
    )


def _check_registry(text: str) -> str:
    return "" if _REGISTRY.fullmatch(text) else "must be the namespace/name of a registry"


def _check_image(text: str) -> str:
    if len(text) <= 512 and is_reference(text):
        return ""
    return "must be an image such as registry.example/team/server:1.0.0, without a scheme"


def _check_digest(text: str) -> str:
    return "" if _DIGEST.fullmatch(text) else "must be sha256: and 64 hex digits in lower case"


def _check_tool(text: str) -> str:
    if TOOL_NAME.fullmatch(text):
        return ""
    return (
        f'must be the name of a tool: at most {TOOL_NAME_LIMIT} letters, digits, "_", "." and "-"'
    )


def _real_tool(text: str) -> str:
    """Servers call their tools whatever they like."""
    return _at_most(TOOL_NAME_LIMIT)(text)


def _check_amount(text: str) -> str:
    is_amount = len(text) <= 32 and _AMOUNT.fullmatch(text)
    return "" if is_amount else "must be an amount such as 250m, 128Mi or 1Gi"


def _at_most(most: int, *, least: int = 1) -> Problem:
    def check(text: str) -> str:
        if not least <= len(text) <= most:
            return f"must have {least} to {most} characters"
        return "must not have control characters" if least and _CONTROL.search(text) else ""

    return check


# ---------------------------------------------------------------- fields


class _Fields:
    """The members of one object, and where it stands; what is wrong is gathered."""

    def __init__(self, value: Any, path: str, errors: list[FieldError]) -> None:
        self.is_sound = value is None or isinstance(value, dict)
        self._value: JsonObject = value if isinstance(value, dict) else {}
        self._path = path
        self._errors = errors
        if not self.is_sound:
            errors.append(FieldError(path, "must be an object", _shown(value)))

    def knows(self, *fields: str) -> None:
        """Refuses every other member."""
        for name in self._value:
            if name not in fields:
                close = difflib.get_close_matches(name, fields, n=1)
                known = f"did you mean {close[0]}?" if close else f"known are {', '.join(fields)}"
                self.refuse(name, f"is not a field; {known}", name)

    def names(self) -> list[str]:
        """Every member."""
        return list(self._value)

    def has(self, *fields: str) -> bool:
        """Whether one of these members is given."""
        return any(self._value.get(field) is not None for field in fields)

    def refuse(self, field: str, message: str, value: Any = None) -> None:
        """Notes what is wrong with a member."""
        self._errors.append(FieldError(self._at(field), message, _shown(value)))

    def object(self, field: str) -> _Fields:
        """The members of a member."""
        return _Fields(self._value.get(field), self._at(field), self._errors)

    def map(self, field: str, most: int) -> _Fields:
        """The same of an object whose members the user names."""
        found = self.object(field)
        if len(found.names()) > most:
            self.refuse(field, f"must have at most {most} members")
            return _Fields(None, "", self._errors)
        return found

    def list(self, field: str) -> list[Any]:
        """A list."""
        return self.value(field, list, "a list") or []

    def flag(self, field: str) -> bool:
        """Whether it is set."""
        return self.value(field, bool, "true or false") or False

    def text(self, field: str, problem: Problem, *, is_required: bool = False) -> str:
        """A text, `""` where there is none."""
        if is_required and self.is_sound and self._value.get(field) is None:
            self.refuse(field, "is required")
        return self.optional(field, problem) or ""

    def optional(self, field: str, problem: Problem) -> str | None:
        """A text, None where there is none or where it is wrong."""
        found: str | None = self.value(field, str, "a text")
        if found is not None and (message := problem(found)):
            self.refuse(field, message, found)
            return None
        return found

    def texts(self, field: str, problem: Problem, most: int) -> tuple[str, ...] | None:
        """Several texts, none of them twice; None where there is no list."""
        found = self.value(field, list, "a list of texts")
        if found is None:
            return None
        if len(found) > most:
            self.refuse(field, f"must have at most {most} elements", len(found))
            return None
        for index, each in enumerate(found):
            message = problem(each) if isinstance(each, str) else "must be a text"
            if not message and each in found[:index]:
                message = "must not be there twice"
            if message:
                self.refuse(f"{field}[{index}]", message, each)
                return None
        return tuple(found)

    def value(self, field: str, kind: type[Any], words: str) -> Any:
        """A member of this type; None where it is absent or another one."""
        found = self._value.get(field)
        if found is None or (isinstance(found, kind) and type(found) is kind):
            return found
        self.refuse(field, f"must be {words}", found)
        return None

    def unshown(self, field: str) -> Any:
        """A member that no message may repeat."""
        return self._value.get(field)

    def _at(self, field: str) -> str:
        return f"{self._path}.{field}" if self._path else field


def _shown(value: Any) -> Any:
    """A value as it was sent, where it is short and plain."""
    if isinstance(value, str):
        return value[:_SHOWN]
    return value if isinstance(value, bool | int | float) or value == [] else None
