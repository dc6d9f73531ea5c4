"""The older generations of the official format, brought up to the newest.

In the flow: first step of reading an official item. The format changed ten times in eight months; a generation
is recognized by the marks it leaves, item by item, because real files mix them:

    G0  `registries`, `registrycanonical`, `_id`
    G1  `version_detail`, package `registry_name` and `name`
    G2  the server wrapped in `server`, the registry's word beside it in `x-io.modelcontextprotocol.registry`
    G3  package `registry_type`, `identifier`
    G4  unwrapped again, `_meta` with `io.modelcontextprotocol.registry`, `transport_type`
    G5  `version` a string, `transport` an object, all in snake_case
    G6  camelCase, `status` and the registry's word inside the server
    G7  `{server, _meta}`; G8 and G9 only add fields

G7 to G9 pass as they are. What an older generation says and the newest has no place for stays as an unknown
field, or goes with the registry's own ids.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, PUBLISHER_META
from thv.domain.lenient import as_object, as_objects

NEWEST_SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"

_OLD_META = "io.modelcontextprotocol.registry"
_WRAPPED_META = "x-io.modelcontextprotocol.registry"
_WRAPPED_PUBLISHER = "x-publisher"


class Generation(IntEnum):
    """Which form an item has; G7 stands for everything since."""

    G0 = 0
    G1 = 1
    G2 = 2
    G3 = 3
    G4 = 4
    G5 = 5
    G6 = 6
    G7 = 7


_CAMEL = {
    "registry_type": "registryType",
    "registry_base_url": "registryBaseUrl",
    "file_sha256": "fileSha256",
    "runtime_hint": "runtimeHint",
    "runtime_arguments": "runtimeArguments",
    "package_arguments": "packageArguments",
    "environment_variables": "environmentVariables",
    "is_required": "isRequired",
    "is_secret": "isSecret",
    "value_hint": "valueHint",
    "is_repeated": "isRepeated",
    "website_url": "websiteUrl",
    "published_at": "publishedAt",
    "updated_at": "updatedAt",
    "is_latest": "isLatest",
    "release_date": "releaseDate",
    "status_message": "statusMessage",
    "status_changed_at": "statusChangedAt",
}
_SNAKE = frozenset(_CAMEL)
_REGISTRY_TYPES = {"docker": "oci", "docker-hub": "oci"}
_DOCKER_OPTIONS = (
    "-e --env --env-file -v --volume --mount --tmpfs --volumes-from --name --network --net --network-alias -p --publish"
    " --expose --entrypoint -u --user -w --workdir -h --hostname --add-host --dns --platform --pull --restart -m"
    " --memory --cpus -c --cpu-shares --gpus --device --shm-size --ulimit --cap-add --cap-drop --security-opt --ipc"
    " --pid --userns --runtime -l --label --label-file --log-driver --log-opt --cidfile --ip --link --mac-address"
    " --group-add -a --attach --stop-signal --stop-timeout --sysctl --annotation --isolation"
)
_DOCKER_VALUES = frozenset(_DOCKER_OPTIONS.split())
"""The options of `docker run` that have a value."""
_TRANSPORTS = {"streamable": "streamable-http", "http": "streamable-http"}
_NO_TIME = "0001-01-01"


def generation_of(item: JsonObject) -> Generation:
    """The generation whose marks an item bears."""
    server = item.get("server")
    if not isinstance(server, dict):
        return _flat_generation(item)
    if _WRAPPED_META in item or "version_detail" in server:
        return Generation.G2 if _has_package_key(server, "registry_name") else Generation.G3
    return Generation.G5 if _is_snake(server) else Generation.G7


def _flat_generation(server: JsonObject) -> Generation:
    meta = as_object(server.get("_meta"))
    if "registries" in server or "registrycanonical" in server:
        return Generation.G0
    if _OLD_META in meta:
        return Generation.G4
    if "version_detail" in server or _has_package_key(server, "registry_name"):
        return Generation.G1
    if _is_snake(server):
        return Generation.G5
    return Generation.G6 if isinstance(server.get("status"), str) else Generation.G7


def upgraded(item: JsonObject) -> JsonObject:
    """The item as `{"server": ..., "_meta": ...}` of the newest generation."""
    generation = generation_of(item)
    if generation is Generation.G7:
        return _wrapped(item)
    server, official, publisher = _taken_apart(item)
    if generation is Generation.G0:
        server = _without_g0(server)
    server = _upgraded_server(server, official)
    if publisher:
        meta = as_object(server.get("_meta"))
        server["_meta"] = {
            **meta,
            PUBLISHER_META: {**publisher, **as_object(meta.get(PUBLISHER_META))},
        }
    return (
        {"server": server, "_meta": {OFFICIAL_META: official}} if official else {"server": server}
    )


def _wrapped(item: JsonObject) -> JsonObject:
    """Lifts the registry's word out of a flat server.json."""
    if isinstance(item.get("server"), dict):
        return item
    meta = as_object(item.get("_meta"))
    official = meta.get(OFFICIAL_META)
    if not isinstance(official, dict):
        return {"server": item}
    rest = {key: value for key, value in meta.items() if key != OFFICIAL_META}
    server = {key: value for key, value in item.items() if key != "_meta"}
    if rest:
        server["_meta"] = rest
    return {"server": server, "_meta": {OFFICIAL_META: official}}


def _taken_apart(item: JsonObject) -> tuple[JsonObject, JsonObject, JsonObject]:
    """Server, the registry's word, and the publisher's extension, wherever they stood."""
    wrapped = item.get("server")
    server = dict(wrapped) if isinstance(wrapped, dict) else dict(item)
    outer = as_object(item.get("_meta")) if isinstance(wrapped, dict) else {}
    meta = {**as_object(server.pop("_meta", None))}
    word = as_object(item.get(_WRAPPED_META)) or as_object(outer.get(OFFICIAL_META))
    word = word or as_object(meta.pop(OFFICIAL_META, None)) or as_object(meta.pop(_OLD_META, None))
    official = _camel(word)
    for key in ("id", "_id"):
        if key in server:
            official.setdefault("id", server.pop(key))
    if isinstance(server.get("status"), str):
        official.setdefault("status", server.pop("status"))
    if meta:
        server["_meta"] = meta
    return server, official, as_object(item.get(_WRAPPED_PUBLISHER))


def _upgraded_server(server: JsonObject, official: JsonObject) -> JsonObject:
    server = _camel(server)
    detail = as_object(server.pop("version_detail", None))
    if "version" not in server and "version" in detail:
        server["version"] = detail["version"]
    _merge_times(official, _camel(detail))
    server["$schema"] = NEWEST_SCHEMA
    if isinstance(server.get("packages"), list):
        server["packages"] = [_package(package) for package in server["packages"]]
    if isinstance(server.get("remotes"), list):
        server["remotes"] = [_remote(remote) for remote in server["remotes"]]
    return server


def _merge_times(official: JsonObject, detail: JsonObject) -> None:
    """Release dates stood in two places; the year 1 was how "unknown" was written."""
    released = detail.get("releaseDate") or official.pop("releaseDate", None)
    for key in ("publishedAt", "updatedAt"):
        if str(official.get(key, "")).startswith(_NO_TIME):
            del official[key]
    if isinstance(released, str) and released:
        official.setdefault("publishedAt", released)
        official.setdefault("updatedAt", released)
    if isinstance(detail.get("isLatest"), bool):
        official.setdefault("isLatest", detail["isLatest"])


def _package(package: Any) -> Any:
    if not isinstance(package, dict):
        return package
    new = _camel(package)
    if "registry_name" in new:
        new["registryType"] = new.pop("registry_name")
        new.setdefault("identifier", new.pop("name", ""))
    kind = new.get("registryType")
    if isinstance(kind, str):
        new["registryType"] = _REGISTRY_TYPES.get(kind, kind)
    if new.get("version") == "":
        del new["version"]
    transport = new.pop("transport_type", "stdio")
    new.setdefault("transport", {"type": _transport(transport)})
    for key in ("runtimeArguments", "packageArguments", "environmentVariables"):
        if isinstance(new.get(key), list):
            new[key] = [_deep_camel(item) for item in new[key]]
    return new


def _remote(remote: Any) -> Any:
    if not isinstance(remote, dict):
        return remote
    new = _camel(remote)
    transport = new.pop("transport_type", new.get("type"))
    if transport is not None:
        new["type"] = _transport(transport)
    if isinstance(new.get("headers"), list):
        new["headers"] = [_deep_camel(item) for item in new["headers"]]
    return new


def _transport(name: Any) -> Any:
    return _TRANSPORTS.get(name, name) if isinstance(name, str) else name


def _camel(value: JsonObject) -> JsonObject:
    return {_CAMEL.get(key, key): item for key, item in value.items()}


def _deep_camel(value: Any) -> Any:
    """An input with its variables, whose names are the publisher's own."""
    if not isinstance(value, dict):
        return value
    new = _camel(value)
    if isinstance(new.get("variables"), dict):
        new["variables"] = {name: _deep_camel(item) for name, item in new["variables"].items()}
    return new


def _is_snake(server: JsonObject) -> bool:
    """Any key of a package, a remote, or an input in one of their lists."""
    if "website_url" in server:
        return True
    for part in ("packages", "remotes"):
        for item in as_objects(server.get(part)):
            if not _SNAKE.isdisjoint(item):
                return True
            for value in item.values():
                if isinstance(value, list) and any(map(_has_snake_key, value)):
                    return True
    return False


def _has_snake_key(value: Any) -> bool:
    return isinstance(value, dict) and not _SNAKE.isdisjoint(value)


def _has_package_key(server: JsonObject, key: str) -> bool:
    return any(key in package for package in as_objects(server.get("packages")))


# G0 --------------------------------------------------------------------------------------------------------


def _without_g0(server: JsonObject) -> JsonObject:
    """April 2025: `registries` instead of packages, with the registry's kind under `packagename`."""
    new = {
        key: value
        for key, value in server.items()
        if key not in ("registries", "registrycanonical")
    }
    repository = {
        key: value for key, value in as_object(new.get("repository")).items() if value != ""
    }
    if repository:
        repository.setdefault(
            "source", "github" if "github.com" in str(repository.get("url")) else "git"
        )
        new["repository"] = repository
    packages = [_g0_package(registry) for registry in as_objects(server.get("registries"))]
    if packages:
        new["packages"] = packages
    if new.get("remotes") == []:
        del new["remotes"]
    return new


def _g0_package(registry: JsonObject) -> JsonObject:
    arguments = as_object(registry.get("commandarguments"))
    places = as_objects(arguments.get("positionalarguments"))
    words = [str(as_object(place.get("argument")).get("name") or "") for place in places]
    kind = registry.get("packagename") or "unknown"
    package: JsonObject = {"registry_type": kind, "identifier": registry.get("name", "")}
    variables = [_g0_variable(item) for item in as_objects(registry.get("environmentvariables"))]
    run = _docker_run(words) if kind in [*_REGISTRY_TYPES, "oci"] else None
    if run is not None:
        package["identifier"], rest = run.image, run.arguments
        known = [variable.get("name") for variable in variables]
        variables += [item for item in run.variables if item["name"] not in known]
        if run.options:
            package["runtime_arguments"] = run.options
    elif (package_at := _g0_package_word(kind, words)) is not None:
        package["identifier"], rest = words[package_at], words[package_at + 1 :]
    else:
        rest = words
    given = [{"type": "positional", "value": word} for word in rest]
    given += [_g0_named(item) for item in as_objects(arguments.get("namedarguments"))]
    if given:
        package["package_arguments"] = given
    if variables:
        package["environment_variables"] = variables
    if registry.get("license"):
        package["license"] = registry["license"]
    return package


class _Run(NamedTuple):
    """A command line of `docker run`, taken apart; flags such as -i and --rm go without saying."""

    image: str
    arguments: list[str]
    variables: list[JsonObject]
    options: list[JsonObject]
    """All other options that have a value, as arguments of the runtime."""


def _docker_run(words: list[str]) -> _Run | None:
    """None when the line names no image."""
    rest = list(words)
    while rest and rest[0] in ("docker", "container", "run"):
        del rest[0]
    variables: list[JsonObject] = []
    options: list[JsonObject] = []
    while rest and (rest[0].startswith("-") or not rest[0]):
        name, value = _option(rest.pop(0))
        if name in _DOCKER_VALUES and value is None:
            value = rest.pop(0) if rest else ""
        if value is None:
            continue
        variable, _, default = value.partition("=")
        if name in ("-e", "--env") and variable:
            variables.append(
                {"name": variable, "default": default} if default else {"name": variable}
            )
        else:
            options.append({"type": "named", "name": name, "value": value})
    return _Run(rest[0], rest[1:], variables, options) if rest else None


def _option(word: str) -> tuple[str, str | None]:
    """Name and value of an option; `-it` are two flags, `-eKEY` and `-ie` end in one with a value."""
    if word.startswith("--"):
        name, separator, value = word.partition("=")
        return name, value if separator else None
    for place, letter in enumerate(word[1:], start=1):
        if f"-{letter}" in _DOCKER_VALUES:
            return f"-{letter}", word[place + 1 :].removeprefix("=") or None
    return word, None


def _g0_named(item: JsonObject) -> JsonObject:
    """A named argument, by its long flag if it has one."""
    argument = as_object(item.get("argument"))
    name = item.get("longflag") or item.get("shortflag") or argument.get("name") or ""
    renamed = _g0_variable({key: value for key, value in argument.items() if key != "name"})
    return {"type": "named", "name": name, **renamed}


def _g0_package_word(kind: Any, words: list[str]) -> int | None:
    """The words were the command line: npx takes the package first, uv last."""
    candidates = [
        index
        for index, word in enumerate(words)
        if word and word[0] != "-" and word not in ("run", "exec")
    ]
    if not candidates:
        return None
    return candidates[0] if kind == "npm" else candidates[-1]


def _g0_variable(variable: JsonObject) -> JsonObject:
    renamed = {"isrequired": "is_required", "defaultvalue": "default"}
    return {
        renamed.get(key, key): value
        for key, value in variable.items()
        if key not in ("isrepeatable", "iseditable") and value not in ("", [])
    }
