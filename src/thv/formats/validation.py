"""What is wrong with an entry, as a report: reading is tolerant, and nobody is refused because of a finding.

In the flow: beside the reading of both formats, for `thv validate`, for static gates, and for statistics. An
error is what breaks the format, by its schema or by its meaning: a client will stumble over it. A warning is
what the official registry would not publish, or ToolHive's own schema would not take, though it works
elsewhere. `schemas` gives the verdict of the published schemas themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, PUBLISHER_META
from thv.formats.mapping import REMOTE_SERVERS

PUBLISHER_LIMIT = 4096

_OWN_META = "io.stacklok.toolhive/"


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong with one field."""

    path: str
    """`packages[0].transport.url`; `""` for the entry itself."""
    message: str
    severity: Severity
    rule: str


Path: TypeAlias = "tuple[Path, str | int] | None"
"""Where a value stands: the path of what holds it, and its key or place there."""
Findings: TypeAlias = list[Finding]
Check: TypeAlias = Callable[[Any, Path, Findings], None]
"""Adds what it finds wrong with the value at the path."""


def validate_official(server: JsonObject) -> Findings:
    """The findings about a server.json of the newest generation."""
    found: Findings = []
    _SERVER(server, None, found)
    return found


def validate_toolhive(key: str, value: Any, section: str) -> Findings:
    """The findings about an entry of a ToolHive registry."""
    found: Findings = []
    if not _TOOLHIVE_KEY.fullmatch(key):
        _warn(found, None, "key", f"ToolHive's schema takes no key like {key[:80]!r}")
    (_REMOTE_ENTRY if section == REMOTE_SERVERS else _CONTAINER_ENTRY)(value, None, found)
    return found


def _error(found: Findings, path: Path, rule: str, message: str) -> None:
    found.append(Finding(rendered(_unrolled(path)), message, Severity.ERROR, rule))


def _warn(found: Findings, path: Path, rule: str, message: str) -> None:
    found.append(Finding(rendered(_unrolled(path)), message, Severity.WARNING, rule))


def rendered(parts: Iterable[str | int]) -> str:
    """A path as people write it."""
    texts = (f"[{part}]" if isinstance(part, int) else f".{part[:100]}" for part in parts)
    return "".join(texts).removeprefix(".")


def _unrolled(path: Path) -> list[str | int]:
    parts: list[str | int] = []
    while path:
        path, part = path
        parts.append(part)
    return parts[::-1]


# Checks of types and shapes --------------------------------------------------------------------------------


def _anything(value: Any, path: Path, found: Findings) -> None:
    pass


def _flag(value: Any, path: Path, found: Findings) -> None:
    if not isinstance(value, bool):
        _error(found, path, "type", "must be true or false")


def _text(
    least: int = 0,
    most: int = 1 << 30,
    pattern: re.Pattern[str] | None = None,
    *,
    shape: str = "",
    soft: bool = False,
) -> Check:
    """A string; `shape` says in words what the pattern wants, `soft` makes breaking a bound a warning."""
    report = _warn if soft else _error

    def check(value: Any, path: Path, found: Findings) -> None:
        if not isinstance(value, str):
            _error(found, path, "type", "must be a string")
        elif not least <= len(value) <= most:
            bounds = f"at least {least}" if len(value) < least else f"at most {most}"
            report(found, path, "length", f"has {len(value)} characters, must have {bounds}")
        elif pattern and not pattern.fullmatch(value):
            report(found, path, "pattern", f"must be {shape}")

    return check


def _one_of(*words: str, soft: bool = False) -> Check:
    report = _warn if soft else _error

    def check(value: Any, path: Path, found: Findings) -> None:
        if not isinstance(value, str):
            _error(found, path, "type", "must be a string")
        elif value not in words:
            report(found, path, "enum", f"must be one of {', '.join(words)}")

    return check


def _number(least: int, most: int | None = None) -> Check:
    def check(value: Any, path: Path, found: Findings) -> None:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole:
            _error(found, path, "type", "must be a whole number")
        elif value < least or (most is not None and value > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            _error(found, path, "range", f"must be {bounds}")

    return check


def _items(item: Check, *, least: int = 0, unique: bool = False) -> Check:
    """A list; too few or repeated items are what only ToolHive's schema refuses."""

    def check(value: Any, path: Path, found: Findings) -> None:
        if not isinstance(value, list):
            _error(found, path, "type", "must be a list")
            return
        if len(value) < least:
            _warn(found, path, "length", f"must have at least {least} items")
        if unique and len({msgspec.json.encode(each) for each in value}) < len(value):
            _warn(found, path, "unique", "names something twice")
        for index, each in enumerate(value):
            item(each, (path, index), found)

    return check


def _map_of(item: Check) -> Check:
    def check(value: Any, path: Path, found: Findings) -> None:
        if not isinstance(value, dict):
            _error(found, path, "type", "must be an object")
            return
        for key, each in value.items():
            item(each, (path, key), found)

    return check


def _object(
    fields: Mapping[str, Check],
    required: Iterable[str] = (),
    *,
    wanted: Iterable[str] = (),
    also: Check = _anything,
) -> Check:
    """An object; `wanted` is what only a schema misses, `also` judges the fields together."""

    def check(value: Any, path: Path, found: Findings) -> None:
        if not isinstance(value, dict):
            _error(found, path, "type", "must be an object")
            return
        for key in required:
            if key not in value:
                _error(found, (path, key), "required", "is missing")
        for key in wanted:
            if key not in value:
                _warn(found, (path, key), "required", "is missing")
        for key, each in value.items():
            if key in fields:
                fields[key](each, (path, key), found)
        also(value, path, found)

    return check


def _by_type(kinds: Mapping[str, Check]) -> Check:
    """An object whose `type` says which other fields it has."""
    words = ", ".join(kinds)

    def check(value: Any, path: Path, found: Findings) -> None:
        if not isinstance(value, dict):
            _error(found, path, "type", "must be an object")
            return
        kind = value.get("type")
        if isinstance(kind, str) and kind in kinds:
            kinds[kind](value, path, found)
        else:
            rule = "enum" if "type" in value else "required"
            _error(found, (path, "type"), rule, f"must be one of {words}")

    return check


_STRING = _text()
_STRINGS = _items(_STRING)
_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:"
    r"(?://(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?"
    r"(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d*)?(?=[/?#]|\Z))?"
    r"(?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*"
    r"(?:\?(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:#(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?",
    re.ASCII,
)
_LINK = _text(pattern=_URI, shape="an absolute URI")
_SOFT_LINK = _text(pattern=_URI, shape="an absolute URI", soft=True)
_PORT = _number(1, 65535)


# server.json -----------------------------------------------------------------------------------------------

_NAME = re.compile(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+")
_PROPER_NAME = re.compile(
    r"[a-zA-Z0-9][a-zA-Z0-9.-]*[a-zA-Z0-9]/[a-zA-Z0-9][a-zA-Z0-9._-]*[a-zA-Z0-9]"
)
_RANGE = re.compile(
    r"\s*(?:(?:\^|~|[<>]=?|=)\s*v?\d.*|.*\|\|.*|v?\d\S*\s+-\s+v?\d.*|v?(?:\d+\.)+[xX*](?:\.[xX*])?|\*)\s*"
)
_TEMPLATE = re.compile(r"\{([^{}\s]+)\}")
_LOCAL = re.compile(
    r"https?://(?:[\w.-]+\.)?(?:localhost|127\.0\.0\.1|\[::1\])(?:[:/?#]|\Z)", re.IGNORECASE
)
_WEB_URL = re.compile(r"https?://[^\s]+")
_HOSTED = {
    "github": re.compile(r"https?://(?:www\.)?github\.com/[\w.-]+/[\w.-]+/?"),
    "gitlab": re.compile(r"https?://(?:www\.)?gitlab\.com/[\w.-]+(?:/[\w.-]+)+/?"),
}
_SUBFOLDER = re.compile(r"(?!/)(?!.*\.\.)[a-zA-Z0-9_./-]*(?<!/)")


def _version(value: Any, path: Path, found: Findings) -> None:
    if not isinstance(value, str):
        _error(found, path, "type", "must be a string")
    elif len(value) > 255:
        _error(found, path, "length", f"has {len(value)} characters, must have at most 255")
    elif value == "latest":
        _error(found, path, "version-latest", 'must be one version, not "latest"')
    elif _RANGE.fullmatch(value):
        _error(found, path, "version-range", "must be one version, not a range")


def _package_version(value: Any, path: Path, found: Findings) -> None:
    _version(value, path, found)
    if value == "":
        _error(found, path, "length", "must not be empty")


def _https(value: Any, path: Path, found: Findings) -> None:
    _LINK(value, path, found)
    if isinstance(value, str) and not value.startswith("https://"):
        _warn(found, path, "https", "should begin with https://")


def _icon_source(value: Any, path: Path, found: Findings) -> None:
    _https(value, path, found)
    if isinstance(value, str) and len(value) > 255:
        _error(found, path, "length", f"has {len(value)} characters, must have at most 255")


def _repository_rules(repository: JsonObject, path: Path, found: Findings) -> None:
    source, url = repository.get("source"), repository.get("url")
    if not (isinstance(source, str) and isinstance(url, str)):
        return
    if source not in _HOSTED:
        _warn(found, (path, "source"), "repository-source", "should be github or gitlab")
    elif not _HOSTED[source].fullmatch(url):
        _warn(found, (path, "url"), "repository-url", f"should be a repository of {source}.com")


def _named_rules(argument: JsonObject, path: Path, found: Findings) -> None:
    name = argument.get("name")
    if not isinstance(name, str) or not name:
        return
    if any(char in "<>$ " for char in name):
        _error(found, (path, "name"), "argument-name", "must be the bare name, without its value")
    for key in ("value", "default"):
        text = argument.get(key)
        if isinstance(text, str) and text.startswith(name):
            _error(found, (path, key), "argument-value", "must not begin with the name again")


def _positional_rules(argument: JsonObject, path: Path, found: Findings) -> None:
    if "value" not in argument and "valueHint" not in argument:
        _error(found, path, "required", "value or valueHint is missing")


def _stdio_rules(transport: JsonObject, path: Path, found: Findings) -> None:
    if transport.get("url"):
        _warn(found, (path, "url"), "stdio-url", "has no meaning for stdio")


def _package_rules(package: JsonObject, path: Path, found: Findings) -> None:
    kind, identifier = package.get("registryType"), package.get("identifier")
    if isinstance(identifier, str) and (not identifier or " " in identifier):
        _error(found, (path, "identifier"), "identifier", "must not be empty or hold blanks")
    if kind == "mcpb" and "fileSha256" not in package:
        _error(found, (path, "fileSha256"), "bundle-hash", "is missing; clients must check it")
    spare = ("registryBaseUrl", "version") if kind == "oci" else ("registryBaseUrl",)
    for key in spare if kind in ("oci", "mcpb") else ():
        if package.get(key):
            _warn(found, (path, key), "reference", "belongs into the identifier")
    transport = package.get("transport")
    url = transport.get("url") if isinstance(transport, dict) else None
    if isinstance(url, str) and "{" in url:
        _check_template(url, _package_variables(package), ((path, "transport"), "url"), found)


def _package_variables(package: JsonObject) -> set[str]:
    """What a template in a package may name: variables, arguments, and their hints."""
    names: set[str] = set()
    for part in ("environmentVariables", "packageArguments", "runtimeArguments"):
        for item in _dicts(package.get(part)):
            for key in ("name", "valueHint"):
                if isinstance(item.get(key), str):
                    names |= {item[key], item[key].lstrip("-")}
            variables = item.get("variables")
            names |= set(variables) if isinstance(variables, dict) else set()
    return names


def _remote_rules(remote: JsonObject, path: Path, found: Findings) -> None:
    url, variables = remote.get("url"), remote.get("variables")
    if not isinstance(url, str):
        return
    if _LOCAL.match(url):
        _warn(found, (path, "url"), "local-url", "names the machine of whoever reads it")
    elif not url.startswith("https://"):
        _warn(found, (path, "url"), "https", "should begin with https://")
    if "{" in url:
        known = set(variables) if isinstance(variables, dict) else set()
        _check_template(url, known, (path, "url"), found)


def _check_template(url: str, known: set[str], path: Path, found: Findings) -> None:
    unknown = sorted(set(_TEMPLATE.findall(url)) - known)
    if unknown:
        _error(found, path, "variable", f"names {', '.join(unknown[:5])}, which nothing declares")


def _server_rules(server: JsonObject, path: Path, found: Findings) -> None:
    name, meta = server.get("name"), server.get("_meta")
    if isinstance(name, str) and _NAME.fullmatch(name) and not _PROPER_NAME.fullmatch(name):
        message = "both parts must have two characters and begin and end with a letter or digit"
        _error(found, (path, "name"), "name-parts", message)
    if not server.get("$schema"):
        _warn(found, (path, "$schema"), "schema", "should name the schema that it is written in")
    if isinstance(meta, dict):
        _meta_rules(meta, (path, "_meta"), found)


def _meta_rules(meta: JsonObject, path: Path, found: Findings) -> None:
    for key in meta:
        if key not in (PUBLISHER_META, OFFICIAL_META) and not key.startswith(_OWN_META):
            _warn(found, (path, key), "meta", "is dropped by the official registry")
    size = len(msgspec.json.encode(meta.get(PUBLISHER_META)))
    if size > PUBLISHER_LIMIT:
        message = f"has {size} bytes, the official registry takes {PUBLISHER_LIMIT}"
        _warn(found, (path, PUBLISHER_META), "publisher-size", message)


def _dicts(values: Any) -> list[JsonObject]:
    return [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []


_INPUT_FIELDS: dict[str, Check] = {
    "description": _STRING,
    "isRequired": _flag,
    "isSecret": _flag,
    "format": _one_of("string", "number", "boolean", "filepath"),
    "default": _STRING,
    "placeholder": _STRING,
    "value": _STRING,
    "choices": _STRINGS,
}
_INPUTS = _map_of(_object(_INPUT_FIELDS))
_FULL_INPUT: dict[str, Check] = {**_INPUT_FIELDS, "variables": _INPUTS}
_KEY_VALUES = _items(_object({**_FULL_INPUT, "name": _STRING}, ["name"]))
_ARGUMENTS = _items(
    _by_type(
        {
            "positional": _object(
                {**_FULL_INPUT, "valueHint": _STRING, "isRepeated": _flag}, also=_positional_rules
            ),
            "named": _object(
                {**_FULL_INPUT, "name": _STRING, "isRepeated": _flag}, ["name"], also=_named_rules
            ),
        }
    )
)
_HTTP: dict[str, Check] = {
    "url": _text(pattern=_WEB_URL, shape="a URL of http or https without blanks"),
    "headers": _KEY_VALUES,
}
_LOCAL_HTTP = _object(_HTTP, ["url"])
_REMOTE = _object({**_HTTP, "variables": _INPUTS}, ["url"], also=_remote_rules)
_PACKAGE = _object(
    {
        "registryType": _STRING,
        "registryBaseUrl": _LINK,
        "identifier": _STRING,
        "version": _package_version,
        "fileSha256": _text(
            pattern=re.compile("[a-f0-9]{64}"), shape="64 hex digits in lower case"
        ),
        "runtimeHint": _STRING,
        "transport": _by_type(
            {
                "stdio": _object({}, also=_stdio_rules),
                "streamable-http": _LOCAL_HTTP,
                "sse": _LOCAL_HTTP,
            }
        ),
        "runtimeArguments": _ARGUMENTS,
        "packageArguments": _ARGUMENTS,
        "environmentVariables": _KEY_VALUES,
    },
    ["registryType", "identifier", "transport"],
    also=_package_rules,
)
_ICON = _object(
    {
        "src": _icon_source,
        "mimeType": _one_of("image/png", "image/jpeg", "image/jpg", "image/svg+xml", "image/webp"),
        "sizes": _items(
            _text(pattern=re.compile(r"[0-9]+x[0-9]+|any"), shape='a size like 48x48, or "any"')
        ),
        "theme": _one_of("light", "dark"),
    },
    ["src"],
)
_SERVER = _object(
    {
        "$schema": _LINK,
        "name": _text(3, 200, _NAME, shape="a namespace and a name with one slash between them"),
        "description": _text(1, 100),
        "title": _text(1, 100),
        "version": _version,
        "websiteUrl": _https,
        "repository": _object(
            {
                "url": _LINK,
                "source": _STRING,
                "id": _STRING,
                "subfolder": _text(pattern=_SUBFOLDER, shape="a plain relative path"),
            },
            ["url", "source"],
            also=_repository_rules,
        ),
        "icons": _items(_ICON),
        "packages": _items(_PACKAGE),
        "remotes": _items(_by_type({"streamable-http": _REMOTE, "sse": _REMOTE})),
        "_meta": _object({PUBLISHER_META: _object({})}),
    },
    ["name", "description", "version"],
    also=_server_rules,
)


# ToolHive --------------------------------------------------------------------------------------------------

_TOOLHIVE_KEY = re.compile(r"[a-z0-9][a-z0-9-]+[a-z0-9]")
_IMAGE = re.compile(
    r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?(?::[0-9]+)?(?:/[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)*"
    r"(?::[a-zA-Z0-9][a-zA-Z0-9._-]*)?"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_HOST = rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*"


def _image(value: Any, path: Path, found: Findings) -> None:
    if not isinstance(value, str):
        _error(found, path, "type", "must be a string")
    elif not value or any(char.isspace() for char in value):
        _error(found, path, "image", "must be an image reference")
    elif not _IMAGE.fullmatch(value):
        _warn(found, path, "image", "is a reference that ToolHive's schema does not take")


def _soft(pattern: str, shape: str) -> Check:
    return _text(pattern=re.compile(pattern, re.ASCII), shape=shape, soft=True)


def _inputs(name_pattern: str, more: Mapping[str, Check]) -> Check:
    fields: dict[str, Check] = {
        "name": _soft(name_pattern, "a plain name"),
        "description": _text(5, 200, soft=True),
        "required": _flag,
        "default": _STRING,
        "secret": _flag,
        **more,
    }
    return _items(_object(fields, ["name"], wanted=["description", "required"]))


_PATHS = _items(_soft(r"(?:/[^/\0]+)+/?", "an absolute path"), unique=True)
_PERMISSIONS = _object(
    {
        "read": _PATHS,
        "write": _PATHS,
        "privileged": _flag,
        "network": _object(
            {
                "outbound": _object(
                    {
                        "allow_host": _items(_soft(rf"\.?{_HOST}", "a host"), unique=True),
                        "allow_port": _items(_PORT, unique=True),
                        "insecure_allow_all": _flag,
                    }
                )
            }
        ),
    }
)
_PROVENANCE = _object(
    {
        "sigstore_url": _soft(_HOST, "a host"),
        "repository_uri": _SOFT_LINK,
        "repository_ref": _STRING,
        "signer_identity": _STRING,
        "runner_environment": _STRING,
        "cert_issuer": _SOFT_LINK,
        "attestation": _object({"predicate_type": _SOFT_LINK}),
    }
)
_OAUTH = _object(
    {
        "issuer": _SOFT_LINK,
        "authorize_url": _SOFT_LINK,
        "token_url": _SOFT_LINK,
        "client_id": _STRING,
        "scopes": _STRINGS,
        "use_pkce": _flag,
        "oauth_params": _map_of(_STRING),
        "callback_port": _PORT,
        "resource": _STRING,
    }
)
_WANTED = ("description", "transport", "status", "tier", "tools")
_COMMON: dict[str, Check] = {
    "name": _STRING,
    "title": _STRING,
    "description": _text(10, 500, soft=True),
    "overview": _STRING,
    "tier": _one_of("Official", "Community", soft=True),
    "status": _one_of("Active", "Deprecated", soft=True),
    "tools": _items(_soft(r"[\w-]+", "the name of a tool"), least=1, unique=True),
    "tags": _items(
        _soft("[a-z0-9][a-z0-9_-]*[a-z0-9]", "a word in lower case"), least=1, unique=True
    ),
    "tool_definitions": _items(_object({})),
    "repository_url": _SOFT_LINK,
    "env_vars": _inputs("[A-Za-z_][A-Za-z0-9_]*", {}),
    "metadata": _object(
        {
            "stars": _number(0),
            "pulls": _number(0),
            "last_updated": _text(pattern=_TIME, shape="a time of RFC 3339", soft=True),
        }
    ),
    "custom_metadata": _object({}),
    "proxy_port": _PORT,
}
_CONTAINER_ENTRY = _object(
    {
        **_COMMON,
        "image": _image,
        "transport": _one_of("stdio", "sse", "streamable-http"),
        "target_port": _PORT,
        "args": _STRINGS,
        "docker_tags": _items(_STRING, unique=True),
        "permissions": _PERMISSIONS,
        "provenance": _PROVENANCE,
    },
    ["image"],
    wanted=_WANTED,
)
_REMOTE_ENTRY = _object(
    {
        **_COMMON,
        "url": _LINK,
        "transport": _one_of("sse", "streamable-http"),
        "headers": _inputs("[A-Za-z0-9][A-Za-z0-9-]*", {"choices": _items(_STRING, unique=True)}),
        "oauth_config": _OAUTH,
    },
    ["url"],
    wanted=_WANTED,
)
