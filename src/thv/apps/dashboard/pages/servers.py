"""`/servers`: the servers of all registries, narrowed down by facets and words.

In the flow: its address is the query of the API's list, so that every view can be sent to somebody, or to a script.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from thv.apps.dashboard.asking import query_of
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.permissions import REACHES
from thv.apps.dashboard.snippets import snippet_of
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.domain.registry import BEST_FIRST

ROWS = 25
_SHOWN = 12
"""Values of a facet that are shown before one asks for more."""
_MEMBERS = (
    "display_name,description,transport,tools,tags,metadata,tier,status,version,functional_category,category,"
    "registry_info,image,url,packages,reach"
)
TITLES = {
    "trust_level": "Trust",
    "functional_category": "Category",
    "tier": "Tier",
    "transport": "Transport",
    "kind": "Run as",
    "reach": "May reach",
    "status": "Status",
    "registry": "Registry",
    "tags": "Tag",
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "trust_level": {level.value: level.value.capitalize() for level in BEST_FIRST},
    "reach": REACHES,
    "kind": {
        "container": "container",
        "package": "package",
        "remote": "remote",
        "none": "not said",
    },
}
"""Values that are said otherwise than they are spelled, by attribute."""
_FILTERS = (*TITLES, "category", "tools", "namespace", "signed", "labelSelector")
_DEFAULT = ""
_POPULAR = "-stars"
"""The order of what nobody searched: by name, what begins with a digit would be the first that one sees."""
SORTS = {_POPULAR: "Stars", "name": "Name", "-updated": "Updated"}


class Choice(msgspec.Struct, frozen=True):
    """A value of a facet."""

    value: str
    label: str
    count: int
    is_chosen: bool


class Facet(msgspec.Struct, frozen=True):
    """An attribute by which the list is narrowed down."""

    name: str
    title: str
    choices: tuple[Choice, ...]

    @property
    def shown(self) -> tuple[Choice, ...]:
        """The first of them, and every one that is chosen."""
        chosen = tuple(each for each in self.choices[_SHOWN:] if each.is_chosen)
        return self.choices[:_SHOWN] + chosen

    @property
    def more(self) -> tuple[Choice, ...]:
        """The rest."""
        return tuple(each for each in self.choices[_SHOWN:] if not each.is_chosen)


class Servers:
    """The list."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row("/servers", self.show),)

    async def show(self, visit: Visit) -> Answer:
        """A page of the list with its facets."""
        asked = asked_of(visit)
        sent = _sent(asked)
        found = await visit.api.get(
            "/api/v1/mcp_servers", facets=True, limit=ROWS, fields=_MEMBERS, **sent
        )
        metadata = found["metadata"]
        chosen = {name: values for name, values in asked.items() if name in _FILTERS}
        answer = self._desk.renderer.page(
            visit,
            "servers.html",
            servers=found["servers"],
            metadata=metadata,
            facets=facets_of(metadata.get("facets", {}), chosen),
            chosen=list(_chips(chosen)),
            titles=TITLES,
            is_filter=snippet_of(chosen).filter is not None,
            asked=asked,
            sorts=_sorts(asked),
            sort=asked.get("sort", _DEFAULT),
            twin=f"/api/v1/mcp_servers?{query_of(sent)}",
            next_page=_next_page(asked, metadata.get("next_cursor")),
            first_page=address_of("/servers", _uncut(asked)) if "cursor" in asked else "",
            without=lambda name, value: address_without("/servers", asked, name, value),
        )
        return answer.with_headers([(b"hx-push-url", address_of("/servers", asked).encode())])


def asked_of(visit: Visit) -> dict[str, Any]:
    """The parameters of the API's list that the address has."""
    asked = visit.values(*_FILTERS)
    for name in ("search", "sort", "cursor"):
        value = visit.value(name).strip()
        if value:
            asked[name] = value
    if asked.get("sort") in ("relevance", "" if "search" in asked else _POPULAR):
        del asked["sort"]  # what is done unasked
    return asked


def _sent(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The same as the API's list is asked, which sorts by name unasked."""
    is_open = "search" in asked or "sort" in asked
    return dict(asked) if is_open else {**asked, "sort": _POPULAR}


def facets_of(
    counts: Mapping[str, Mapping[str, int]], chosen: Mapping[str, list[str]]
) -> list[Facet]:
    """The facets in the order of the page; what was chosen stays, also where nothing has it."""
    return [
        Facet(name, title, tuple(_choices(name, counts.get(name, {}), chosen.get(name, []))))
        for name, title in TITLES.items()
        if counts.get(name) or chosen.get(name)
    ]


def _choices(name: str, counts: Mapping[str, int], chosen: list[str]) -> Iterable[Choice]:
    for value, count in counts.items():
        yield Choice(value, label_of(name, value), count, value in chosen)
    for value in chosen:
        if value not in counts:
            yield Choice(value, label_of(name, value), 0, is_chosen=True)


def _chips(chosen: Mapping[str, list[str]]) -> Iterable[tuple[str, str, str]]:
    """Attribute, value and words of every filter that is set."""
    for name, values in chosen.items():
        for value in values:
            yield name, value, label_of(name, value)


def label_of(name: str, value: str) -> str:
    """How a value of an attribute is said."""
    return WORDS.get(name, {}).get(value, value)


def _sorts(asked: Mapping[str, Any]) -> dict[str, str]:
    """The first one is what is done unasked, so that it is not sent along when a search begins or ends."""
    if "search" in asked:
        return {_DEFAULT: "Best match", **SORTS}
    return {
        _DEFAULT: SORTS[_POPULAR],
        **{value: SORTS[value] for value in SORTS if value != _POPULAR},
    }


def _next_page(asked: Mapping[str, Any], cursor: str | None) -> str:
    return address_of("/servers", {**asked, "cursor": cursor}) if cursor else ""


def _uncut(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the list from its beginning."""
    return {key: values for key, values in asked.items() if key != "cursor"}


def address_without(page: str, asked: Mapping[str, Any], name: str, value: str) -> str:
    """The address of a list without one filter."""
    left = _uncut(asked)
    if name in left:
        values = left[name] if isinstance(left[name], list) else [left[name]]
        left[name] = [each for each in values if each != value]
    return address_of(page, left)


def address_of(page: str, asked: Mapping[str, Any]) -> str:
    """The address of a list with these parameters."""
    query = query_of(asked)
    return f"{page}?{query}" if query else page
