"""The request for a registry of one's own: from a file, from flags, or from both.

In the flow: before `thv catalog generate` asks for manifests. Whether it can be fulfilled is judged by the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thv.apps.cli.documents import STDIN, missing
from thv.apps.cli.exits import CommandError
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.lenient import as_object
from thv.domain.text import object_name
from thv.formats.folder import UnreadableFileError, parse_file

_LIMIT = 1 << 20
"""As large as the body of a request may be."""
_NAME_LIMIT = 52
_METADATA = ("namespace", "registry_name", "display_name")
_CONFIGURATION = ("enforce_servers", "enforce_tools", "auto_sync")


def read_request(session: Session, place: str) -> JsonObject:
    """The request of a file, or of `-`; raises FORMAT_INVALID for what is none."""
    if place == STDIN:
        content = session.common.around.stdin.read(_LIMIT + 1)
    elif Path(place).is_file():
        with Path(place).open("rb") as file:
            content = file.read(_LIMIT + 1)
    else:
        raise missing(Path(place))
    if len(content) > _LIMIT:
        raise CommandError(Code.SIZE_LIMIT_EXCEEDED, f'"{place}" has more than {_LIMIT >> 20} MiB')
    try:
        value = parse_file(
            "request.json" if content.lstrip()[:1] == b"{" else "request.yaml", content
        )
    except UnreadableFileError as error:
        raise _no_request(place, str(error)) from error
    if not isinstance(value, dict) or not isinstance(value.get("servers"), list):
        raise _no_request(place, "it names no servers")
    return value


def _no_request(place: str, why: str) -> CommandError:
    return CommandError(
        Code.FORMAT_INVALID,
        f'"{place}" is no request for a registry: {why}',
        tries=["thv catalog export SERVER --output request.json"],
    )


def namespace_in(request: JsonObject) -> str:
    """The namespace that a request names, `""` for none."""
    found = as_object(request.get("metadata")).get("namespace")
    return found if isinstance(found, str) else ""


def merged(
    request: JsonObject, servers: Sequence[str], registry: str, given: Mapping[str, Any]
) -> JsonObject:
    """The request with what flags say more; raises INVALID where nothing is chosen, or nobody says how it is called."""
    chosen = [*_objects(request.get("servers")), *(_choice(each, registry) for each in servers)]
    if not chosen:
        raise CommandError(
            Code.INVALID,
            "nothing is chosen",
            tries=["--server NAME", "-f request.json   (as thv catalog export writes it)"],
        )
    metadata = {**as_object(request.get("metadata")), **_said(given, _METADATA)}
    metadata["namespace"] = metadata.get("namespace") or "default"
    metadata["registry_name"] = metadata.get("registry_name") or _name_for(chosen)
    configuration = {**as_object(request.get("configuration")), **_said(given, _CONFIGURATION)}
    return {**request, "metadata": metadata, "configuration": configuration, "servers": chosen}


def _choice(text: str, registry: str) -> JsonObject:
    """A server that is named on a command line, with its version behind @."""
    name, at, version = text.rpartition("@")
    pins = {"name": name if at and name else text, "version": version if at and name else ""}
    return {key: value for key, value in {**pins, "registry": registry}.items() if value}


def _name_for(chosen: Sequence[JsonObject]) -> str:
    """That of the one server; raises INVALID for several."""
    if len(chosen) > 1:
        raise CommandError(
            Code.INVALID,
            "a registry of several servers needs a name",
            tries=["add --registry-name NAME"],
        )
    last = str(chosen[0].get("name", "")).rpartition("/")[2]
    slug = object_name(last or "x")[: _NAME_LIMIT - len("-registry")].strip("-")
    return f"{slug if slug[:1].isalpha() else f'r-{slug}'}-registry"


def _said(given: Mapping[str, Any], fields: Sequence[str]) -> JsonObject:
    return {key: given[key] for key in fields if given.get(key) not in (None, "")}


def _objects(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
