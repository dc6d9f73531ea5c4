"""The plain maps between the ToolHive format and the official form: what both can say, and no more.

In the flow: the inner half of `toolhive`, which parks the rest. The maps follow ToolHive's own rules where it
has some: remotes before packages, extension fields under the image or URL, `-e` runtime arguments are
environment variables, the version is the image's tag when that is a semantic version, else 1.0.0.

A ToolHive entry is handled with the place it has in its document, under two keys that no format uses.
"""

from __future__ import annotations

import re
from typing import Any

from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, PUBLISHER_META, TOOLHIVE_PUBLISHER
from thv.domain.facts import toolhive_block
from thv.domain.lenient import as_object, as_objects
from thv.domain.target import HTTP_TRANSPORTS, NotRunnable, Remote, Target, image_tag, target_of
from thv.domain.text import official_name, toolhive_key
from thv.domain.versions import parse_semver
from thv.formats.generations import NEWEST_SCHEMA

KEY = "@key"
SECTION = "@section"
SERVERS = "servers"
REMOTE_SERVERS = "remote_servers"
DEFAULT_VERSION = "1.0.0"
PARKED = "server.json"
"""The key of `custom_metadata` under which what server.json alone can say is parked."""

_HOMEPAGE = "homepage"
"""What ToolHive's own catalog calls the web site of a server, in `custom_metadata`."""
_NATIVE = frozenset({"title", "description", "repository_url", KEY, SECTION})
_NATIVE_LOCAL = _NATIVE | {"image", "transport", "target_port", "env_vars"}
_NATIVE_REMOTE = _NATIVE | {"url", "transport", "headers"}
_RUNNERS = {"npx": "npm", "uvx": "pypi"}
_VARIABLE = re.compile(r"\{([^{}]+)\}")


# Official form -> ToolHive ---------------------------------------------------------------------------------


def to_toolhive(content: JsonObject) -> JsonObject:
    server: JsonObject = content["server"]
    target = target_of(server)
    block = toolhive_block(server, target.reference)
    remote = isinstance(target, Remote)
    there: JsonObject = {
        KEY: toolhive_key(server["name"]),
        SECTION: REMOTE_SERVERS if remote else SERVERS,
    }
    for key in ("title", "description"):
        if key in server:
            there[key] = server[key]
    _run_fields(there, server, target)
    if isinstance(server.get("repository"), dict):
        there["repository_url"] = server["repository"].get("url", "")
    native = _NATIVE_REMOTE if remote else _NATIVE_LOCAL
    for key, value in block.items():
        if key not in native and key not in there:
            there[key] = value
    custom = _without_own(there.pop("custom_metadata", None))
    if _given(server.get("websiteUrl")):
        custom[_HOMEPAGE] = server["websiteUrl"]
    if custom:
        there["custom_metadata"] = custom
    if _is_deprecated(content, block):
        there["status"] = "Deprecated"
    there.setdefault("status", "Active")
    return there


def _without_own(custom: Any) -> JsonObject:
    return {key: value for key, value in as_object(custom).items() if key != PARKED}


def _is_deprecated(content: JsonObject, block: JsonObject) -> bool:
    """The registry's word, else the publisher's; ToolHive has none for "deleted"."""
    official = as_object(as_object(content.get("_meta")).get(OFFICIAL_META))
    return (
        official.get("status") in ("deprecated", "deleted")
        or str(block.get("status")).lower() == "deprecated"
    )


def _run_fields(there: JsonObject, server: JsonObject, target: Target) -> None:
    if isinstance(target, NotRunnable):
        return
    there["transport"] = target.transport
    if isinstance(target, Remote):
        there["url"] = target.reference
        headers = as_objects(server["remotes"][target.index].get("headers"))
        if headers:
            there["headers"] = [_variable(header, ("default", "choices")) for header in headers]
        return
    package: JsonObject = server["packages"][target.index]
    there["image"] = target.reference
    if target.port is not None:
        there["target_port"] = target.port
    variables = [
        _variable(item, ("default",)) for item in as_objects(package.get("environmentVariables"))
    ]
    named = {item["name"] for item in variables if isinstance(item.get("name"), str)}
    variables += [item for item in _runtime_variables(package) if item["name"] not in named]
    if variables:
        there["env_vars"] = variables
    arguments = _flat_arguments(package.get("packageArguments"))
    if arguments:
        there["args"] = arguments


def _variable(item: JsonObject, more: tuple[str, ...]) -> JsonObject:
    """A key-value input in ToolHive's words."""
    new: JsonObject = {key: item[key] for key in ("name", "description") if key in item}
    new["required"] = item.get("isRequired") is True
    if item.get("isSecret") is True:
        new["secret"] = True
    new.update((key, item[key]) for key in more if key in item)
    return new


def _runtime_variables(package: JsonObject) -> list[JsonObject]:
    """Environment variables that were given to `docker run -e NAME=value`."""
    found: list[JsonObject] = []
    for argument in as_objects(package.get("runtimeArguments")):
        if argument.get("name") not in ("-e", "--env") or not isinstance(
            argument.get("value"), str
        ):
            continue
        name, _, value = argument["value"].partition("=")
        inputs = as_object(argument.get("variables"))
        placeholder = _VARIABLE.fullmatch(value)
        described = as_object(inputs.get(placeholder[1])) if placeholder else {}
        new = _variable({**argument, **described, "name": name}, ("default",))
        if value and not placeholder:
            new["default"] = value
        if name:
            found.append(new)
    return found


def _flat_arguments(arguments: Any) -> list[str]:
    """The command line as far as it is known; an input that somebody must give stands as `{hint}`."""
    words: list[str] = []
    for argument in as_objects(arguments):
        name = argument.get("name")
        if argument.get("type") == "named" and isinstance(name, str) and name:
            words.append(name)
        value = next(
            (argument[key] for key in ("value", "default") if _given(argument.get(key))), None
        )
        hint = argument.get("valueHint") if argument.get("isRequired") is True else None
        if value is not None:
            words.append(value)
        elif isinstance(hint, str) and hint:
            words.append("{" + hint + "}")
    return words


def _given(value: Any) -> bool:
    return isinstance(value, str) and value != ""


# ToolHive -> official form ---------------------------------------------------------------------------------


def to_official(there: JsonObject) -> JsonObject:
    reference = _reference(there)
    server: JsonObject = {"$schema": NEWEST_SCHEMA, "name": _official_name(there)}
    for key in ("description", "title"):
        if key in there:
            server[key] = there[key]
    repository = there.get("repository_url")
    if isinstance(repository, str):
        # Real entries of both formats say "no repository" by an empty one.
        server["repository"] = (
            {"url": repository, "source": _source(repository)} if repository else {}
        )
    if _given(as_object(there.get("custom_metadata")).get(_HOMEPAGE)):
        server["websiteUrl"] = there["custom_metadata"][_HOMEPAGE]
    tag = image_tag(reference) if there[SECTION] == SERVERS else ""
    server["version"] = tag.removeprefix("v") if parse_semver(tag) else DEFAULT_VERSION
    if there[SECTION] == REMOTE_SERVERS:
        _put_remote(server, there)
    else:
        _put_package(server, there, reference)
    block = _block(there)
    if block:
        server["_meta"] = {PUBLISHER_META: {TOOLHIVE_PUBLISHER: {reference: block}}}
    return {"server": server}


def _put_remote(server: JsonObject, there: JsonObject) -> None:
    url = there.get("url")
    if not isinstance(url, str):
        return
    remote: JsonObject = {"type": there.get("transport"), "url": url}
    if isinstance(there.get("headers"), list):
        remote["headers"] = [_input(item, ("default", "choices")) for item in there["headers"]]
    server["remotes"] = [remote]


def _put_package(server: JsonObject, there: JsonObject, reference: str) -> None:
    if not reference:
        return
    scheme, separator, rest = reference.partition("://")
    package: JsonObject = {}
    if separator and scheme in _RUNNERS:
        at = rest.rfind("@")
        identifier, version = (rest[:at], rest[at + 1 :]) if at > 0 else (rest, "")
        package |= {"registryType": _RUNNERS[scheme], "identifier": identifier}
        if version:
            package["version"] = version
    else:
        package |= {"registryType": "oci", "identifier": reference}
    package["transport"] = _transport(there)
    if isinstance(there.get("env_vars"), list):
        package["environmentVariables"] = [_input(item, ("default",)) for item in there["env_vars"]]
    if package["registryType"] != "oci":
        _as_publishers_write(package, there)
    server["packages"] = [package]


def _as_publishers_write(package: JsonObject, there: JsonObject) -> None:
    """Packages for npx and uvx: arguments stand with the package, and the default format of inputs is spelled."""
    for variable in package.get("environmentVariables", ()):
        if isinstance(variable, dict):
            variable["format"] = "string"
    if _has_plain_arguments(there):
        package["packageArguments"] = [
            {"type": "positional", "value": word} for word in there["args"]
        ]


def _has_plain_arguments(there: JsonObject) -> bool:
    words = there.get("args")
    return isinstance(words, list) and bool(words) and all(_given(word) for word in words)


def _transport(there: JsonObject) -> JsonObject:
    transport = there.get("transport", "stdio")
    if transport not in HTTP_TRANSPORTS:
        return {"type": transport}
    port = there.get("target_port")
    is_port = isinstance(port, int) and not isinstance(port, bool)
    return {"type": transport, "url": f"http://localhost:{port}" if is_port else "http://localhost"}


def _input(item: Any, more: tuple[str, ...]) -> Any:
    """A variable of ToolHive as an input of the official form."""
    if not isinstance(item, dict):
        return item
    new: JsonObject = {key: item[key] for key in ("name", "description") if key in item}
    if item.get("required") is True:
        new["isRequired"] = True
    if item.get("secret") is True:
        new["isSecret"] = True
    new.update((key, item[key]) for key in more if key in item)
    return new


def _block(there: JsonObject) -> JsonObject:
    """The extension fields: all that server.json has no place for."""
    native = _NATIVE_REMOTE if there[SECTION] == REMOTE_SERVERS else _NATIVE_LOCAL
    block = {key: value for key, value in there.items() if key not in native}
    if _reference(there).partition("://")[0] in _RUNNERS and _has_plain_arguments(there):
        del block["args"]
    custom = block.get("custom_metadata")
    if isinstance(custom, dict) and _given(custom.get(_HOMEPAGE)):
        block["custom_metadata"] = {key: value for key, value in custom.items() if key != _HOMEPAGE}
    if block.get("custom_metadata") == {}:
        del block["custom_metadata"]
    return {} if block == {"status": "Active"} else block


def _reference(there: JsonObject) -> str:
    value = there.get("url" if there[SECTION] == REMOTE_SERVERS else "image")
    return value if isinstance(value, str) else ""


def _official_name(there: JsonObject) -> str:
    explicit = there.get("name")
    if isinstance(explicit, str) and "/" in explicit:
        return explicit
    return official_name(there[KEY])


def _source(url: str) -> str:
    host = url.partition("://")[2].partition("/")[0].lower()
    for source in ("github", "gitlab", "bitbucket"):
        if host in (f"{source}.com", f"www.{source}.com", f"{source}.org"):
            return source
    return "git"
