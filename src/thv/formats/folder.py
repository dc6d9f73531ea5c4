"""The text of one file of a folder: YAML or JSON, to a value.

In the flow: beside `documents`, for registries that are kept as one file an entry.
"""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from thv.formats.cutting import Cutter, MalformedError, Step

_DEPTH_LIMIT = 64
_ALIAS_LIMIT = 100


class UnreadableFileError(ValueError):
    """A file is neither YAML nor JSON, or only grows when it is read; says why."""


def parse_file(path: str, content: bytes) -> Any:
    """The value of a file; raises UnreadableFileError."""
    try:
        if path.endswith(".json"):
            return _json(content)
        return parse_yaml(content.decode("utf-8-sig"))
    except (
        MalformedError,
        msgspec.DecodeError,
        yaml.YAMLError,
        UnicodeDecodeError,
        RecursionError,
    ) as error:
        raise UnreadableFileError(_one_line(error)) from error


def parse_yaml(text: str) -> Any:
    """The value of one YAML document; raises yaml.YAMLError, also for what nests or repeats without end."""
    _check_events(text)
    return yaml.load(text, Loader=_Loader)  # noqa: S506 # a safe loader of plain values


class _Loader(yaml.CSafeLoader):
    """Plain values only, and times stay text: JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _check_events(text: str) -> None:
    """Bounds depth and aliases; an alias inside of what is itself anchored could double at every level."""
    anchored: list[bool] = []
    aliases = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            anchored.append(event.anchor is not None)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchored.pop()
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
            if any(anchored):
                raise yaml.YAMLError("an alias inside an anchored value")
        if len(anchored) > _DEPTH_LIMIT or aliases > _ALIAS_LIMIT:
            raise yaml.YAMLError(f"more than {_DEPTH_LIMIT} levels or {_ALIAS_LIMIT} aliases")


def _json(content: bytes) -> Any:
    cutter = Cutter(
        lambda _path, _first: Step.TAKE, value_limit=len(content) + 1, depth_limit=_DEPTH_LIMIT
    )
    (cut,) = [*cutter.feed(content), *cutter.close()]
    if cut.refused:
        raise MalformedError(cut.refused)
    return msgspec.json.decode(cut.raw)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
