"""The text of one file of a folder: YAML or JSON, to a value.

In the flow: beside `documents`, for registries that are kept as one file an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgspec
import yaml

from thv.formats.cutting import Cutter, MalformedError, Step

Event: TypeAlias = Any
"""One of the library, which says of none what it has."""

_DEPTH_LIMIT = 64
_ALIAS_LIMIT = 100
_REPEATED_LIMIT = 1 << 20
"""Characters of the text that aliases stand for."""
_STANDARD = "tag:yaml.org,2002:"
_PLAIN_TAGS: dict[type[Any], str] = {
    yaml.ScalarEvent: f"{_STANDARD}str",
    yaml.SequenceStartEvent: f"{_STANDARD}seq",
    yaml.MappingStartEvent: f"{_STANDARD}map",
}
"""Others make the loader take a text for what it is not, in ways that each fail differently."""


class UnreadableFileError(ValueError):
    """A file is neither YAML nor JSON, or only grows when it is read; says why."""


def parse_file(path: str, content: bytes) -> Any:
    """The value of a file; raises UnreadableFileError."""
    try:
        if path.endswith(".json"):
            return _json(content)
        return parse_yaml(content.decode("utf-8-sig"))
    except (msgspec.DecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableFileError(_one_line(error)) from error


def parse_yaml(text: str, *, unique: bool = False) -> Any:
    """The value of one YAML document; raises yaml.YAMLError, also for what nests or repeats without end.

    `unique` refuses a key that stands twice in a mapping, of which else the last counts. Raises ValueError for a number
    of more digits than Python reads.
    """
    return _Composer(yaml.parse(text, Loader=yaml.CSafeLoader), unique=unique).document()


class _Loader(yaml.CSafeLoader):
    """Plain values only, and times stay text: JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_STANDARD}timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


class _Composer:
    """Makes a value straight from the events of a parser.

    The library makes a tree of nodes first, which takes a hundred times the memory of the text. Depth and aliases are
    bounded; an alias inside of what is itself anchored could double at every level.
    """

    def __init__(self, events: Iterator[Event], *, unique: bool) -> None:
        self._events = events
        self._unique = unique
        self._anchors: dict[str, tuple[Any, int]] = {}
        """Values, and how many characters each takes."""
        self._open: list[bool] = []
        """Of each collection around the present place, whether it is anchored."""
        self._aliases = self._repeated = self._place = 0

    def document(self) -> Any:
        """The one value; None where there is no document."""
        value = None
        for number, _ in enumerate(self._documents()):
            if number:
                raise yaml.YAMLError("there are several documents")
            value = self._value(self._next())
        return value

    def _documents(self) -> Iterator[Event]:
        return (event for event in self._events if isinstance(event, yaml.DocumentStartEvent))

    def _next(self) -> Event:
        event = next(self._events)
        self._place = event.end_mark.index
        return event

    def _value(self, event: Event) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(str(event.anchor))
        if event.tag not in (None, "!", _PLAIN_TAGS[type(event)]):
            raise yaml.YAMLError(f"the tag {event.tag.replace(_STANDARD, '!!')}")
        value = _scalar(event) if isinstance(event, yaml.ScalarEvent) else self._collection(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._place - event.start_mark.index
        return value

    def _aliased(self, anchor: str) -> Any:
        if any(self._open):
            raise yaml.YAMLError("an alias inside an anchored value")
        if anchor not in self._anchors:
            raise yaml.YAMLError(f"the alias {anchor} stands before what it names")
        value, size = self._anchors[anchor]
        self._aliases += 1
        self._repeated += size
        if self._aliases > _ALIAS_LIMIT or self._repeated > _REPEATED_LIMIT:
            raise yaml.YAMLError(
                f"more than {_ALIAS_LIMIT} aliases, or more than {_REPEATED_LIMIT} characters by aliases"
            )
        return value

    def _collection(self, event: Event) -> Any:
        self._open.append(event.anchor is not None)
        if len(self._open) > _DEPTH_LIMIT:
            raise yaml.YAMLError(f"more than {_DEPTH_LIMIT} levels")
        is_list = isinstance(event, yaml.SequenceStartEvent)
        value = list(self._items()) if is_list else self._mapping()
        self._open.pop()
        return value

    def _items(self) -> Iterator[Any]:
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            yield self._value(event)

    def _mapping(self) -> dict[Any, Any]:
        merged: dict[Any, Any] = {}
        own: dict[Any, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if _is_merge(event):
                merged |= _united(self._value(self._next()))
                continue
            key = self._value(event)
            if isinstance(key, dict | list):
                raise yaml.YAMLError("a key that is a list or an object")
            if self._unique and key in own:
                raise yaml.YAMLError(f'must not have "{str(key)[:100]}" twice in one mapping')
            own[key] = self._value(self._next())
        return merged | own


def _is_merge(event: Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]


def _united(value: Any) -> dict[Any, Any]:
    """What `<<` takes over: a mapping, or several of which the first wins."""
    found: dict[Any, Any] = {}
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict):
            raise yaml.YAMLError("<< takes over mappings alone")
        found = each | found
    return found


_LONGEST_NUMBER = 4300
"""As many digits as Python reads."""
_constructor = yaml.constructor.SafeConstructor()
_MAKE: dict[str, Callable[[Any], Any]] = {
    f"{_STANDARD}null": lambda _: None,
    f"{_STANDARD}bool": _constructor.construct_yaml_bool,
    f"{_STANDARD}int": _constructor.construct_yaml_int,
    f"{_STANDARD}float": _constructor.construct_yaml_float,
}


def _scalar(event: Event) -> Any:
    """A word that stands without quotes and tag may be a number, a truth or nothing."""
    text: str = event.value
    if event.tag is not None or not event.implicit[0]:
        return text
    for tag, pattern in _Loader.yaml_implicit_resolvers.get(text[:1], ()):
        if pattern.match(text):
            make = _MAKE.get(tag)
            return text if make is None else _made(make, tag, text)
    return text


def _made(make: Callable[[Any], Any], tag: str, text: str) -> Any:
    """A number of base 60 takes the square of its length to read, and may be more than a float holds."""
    if len(text) > _LONGEST_NUMBER:
        raise yaml.YAMLError(f"a number of more than {_LONGEST_NUMBER} characters")
    try:
        return make(yaml.ScalarNode(tag, text))
    except OverflowError as error:
        raise yaml.YAMLError("a number that is too large") from error


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
