"""What differs between two generations of one registry.

In the flow: after `thv catalog generate` wrote manifests where older ones were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.lenient import as_object
from thv.domain.resources import name_of

_DOCUMENT = "registry.json"


class Difference(NamedTuple):
    """One thing that is different."""

    symbol: str
    text: str


def difference(before: Iterable[JsonObject], after: Iterable[JsonObject]) -> Iterator[Difference]:
    """Objects that came, went or changed, and of the document in a ConfigMap its servers."""
    old, new = _by_title(before), _by_title(after)
    for title in [*new, *(each for each in old if each not in new)]:
        if title not in old:
            yield Difference("ok", f"+ {title}")
        elif title not in new:
            yield Difference("note", f"- {title} (delete it on the cluster, too)")
        elif old[title] != new[title]:
            yield Difference("ok", f"~ {title}")
            yield from _servers(_document(old[title]), _document(new[title]))


def _by_title(objects: Iterable[JsonObject]) -> dict[str, JsonObject]:
    return {f"{str(obj.get('kind')).lower()}/{name_of(obj)}": obj for obj in objects}


def _servers(old: JsonObject, new: JsonObject) -> Iterator[Difference]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            sign = "+" if name not in old else "-" if name not in new else "~"
            yield Difference("ok", f"  {sign} server {name}")


def _document(obj: JsonObject) -> JsonObject:
    """The servers that a ConfigMap holds as text."""
    text = as_object(obj.get("data")).get(_DOCUMENT)
    if not isinstance(text, str):
        return {}
    try:
        value = as_object(msgspec.json.decode(text))
    except msgspec.DecodeError:
        return {}
    return {**as_object(value.get("servers")), **as_object(value.get("remote_servers"))}
