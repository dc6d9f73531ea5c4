"""R14: the servers that are installed from a registry, and how they stand to it.

In the flow: what the fleet holds becomes a page, which the catalog makes of all registries in the same way. Who may list
registries may not therefore list servers: that is a right of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from thv.apps.kit.http.caching import Validators, weak_tag
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode
from thv.apps.registry_api.cursors import Cursor, cursor_text, position_in, query_tag
from thv.apps.registry_api.drift import Compared, Comparing
from thv.apps.registry_api.fleet import Fleet, Place, claim_of
from thv.apps.registry_api.pages import PLAIN_JSON, answered, listed, next_link, resolved
from thv.apps.registry_api.served import Served
from thv.apps.registry_api.servers import place_of
from thv.catalog.installed import Installed
from thv.domain.canonical import JsonObject
from thv.domain.resources import OLD_PREFIX, PREFIX
from thv.domain.selectors import Requirement, Selector
from thv.domain.text import label_value
from thv.stores.models.query import Position

LABELS = ("registry-name", "registry-namespace", "server-name", "tier", "category")
"""Ours, which a selector may name without their prefix."""
PAGE_LIMIT = 1 << 20
"""Bytes of a page."""
DESCENDING = "-name"


Row: TypeAlias = tuple[Place, Installed]


def list_deployments(fleet: Fleet, comparing: Comparing) -> Callable[[Call], Answer]:
    """R14, over this fleet."""

    def handler(call: Call) -> Answer:
        served = place_of(call)
        view = served.view()
        fleet.require()
        every = _installed_from(fleet, served)
        chosen = selected(every, call.values["labelSelector"])
        tag = query_tag("R14", resolved(call.values, "cursor", "limit"))

        def described(installed: Installed) -> JsonObject:
            return described_deployment(installed, comparing.compared(served, installed))

        bodies, last = page(chosen, _after(call, served, tag), call.values, described)
        following = cursor_text(Position(0, (last.name, last.group)), query=tag) if last else ""
        body, links = enveloped(call, bodies, len(every), len(chosen), following)
        etag = weak_tag(view.generation.digest, call.endpoint.id, call.base, body)
        answer = answered(call, served, view, Validators(etag), lambda: (PLAIN_JSON, body))
        return answer.with_headers(links, rows=len(bodies))

    return handler


def _installed_from(fleet: Fleet, served: Served) -> list[Row]:
    """What names the registry, in its own namespace."""
    claim = tuple(map(label_value, served.owner))
    return [
        (place, installed)
        for place, installed in fleet.every()
        if place.namespace == served.owner[0] and claim_of(installed) == claim
    ]


def _after(call: Call, served: Served, tag: str) -> Place | None:
    cursor: Cursor | None = call.values["cursor"]
    if cursor is None:
        return None
    name, group = position_in(cursor, tag).key
    return Place(name, served.owner[0], group)


# ---------------------------------------------------------------- pages


def page(
    rows: Sequence[Row],
    after: Place | None,
    values: Mapping[str, Any],
    described: Callable[[Installed], JsonObject],
) -> tuple[list[bytes], Place | None]:
    """The bodies behind a place, and the place behind which the next page goes on; None after the last one."""
    descending = values["sort"] == DESCENDING
    ordered = reversed(rows) if descending else rows
    bodies: list[bytes] = []
    size, last = 0, None
    for place, installed in ordered:
        if after is not None and (place >= after if descending else place <= after):
            continue
        body = encode(described(installed))
        size += len(body)
        if len(bodies) == values["limit"] or (bodies and size > PAGE_LIMIT):
            return bodies, last
        bodies.append(body)
        last = place
    return bodies, None


def enveloped(
    call: Call, bodies: Sequence[bytes], total: int, filtered: int, following: str, **more: bool
) -> tuple[bytes, list[Header]]:
    """The page and the links beside it; `following` is the cursor of the next one, `""` on the last.

    `more` stands beside the counts.
    """
    counts: JsonObject = {
        "total_count": total,
        "filtered_count": filtered,
        "count": len(bodies),
        **more,
    }
    if not following:
        return listed(b"deployments", bodies, counts), []
    metadata = {**counts, "next_cursor": following}
    return listed(b"deployments", bodies, metadata), [next_link(call, following)]


def described_deployment(installed: Installed, compared: Compared) -> JsonObject:
    """One element of a list; what nobody said is null."""
    return {
        "name": installed.name,
        "namespace": installed.namespace,
        "server_name": compared.server,
        "server_version": installed.version or None,
        "image": installed.image,
        "transport": installed.transport or None,
        "status": installed.status or None,
        "ready": installed.is_ready,
        "endpoint_url": installed.url or None,
        "labels": installed.labels,
        "drift": compared.drift,
    }


# ---------------------------------------------------------------- selectors


def selected(rows: Iterable[Row], selector: Selector | None) -> list[Row]:
    """Those whose labels are wanted; ours are found under both prefixes, and without one."""
    if selector is None:
        return list(rows)
    wanted = [_prefixed(each) for each in selector.requirements]
    return [row for row in rows if all(_holds(each, row[1].labels) for each in wanted)]


def _prefixed(requirement: Requirement) -> Requirement:
    if requirement.key not in LABELS:
        return requirement
    return msgspec.structs.replace(requirement, key=PREFIX + requirement.key)


def _holds(requirement: Requirement, labels: dict[str, str]) -> bool:
    key = requirement.key
    value = labels.get(key)
    if value is None and key.startswith(PREFIX):
        value = labels.get(OLD_PREFIX + key.removeprefix(PREFIX))
    return requirement.matches({} if value is None else {key: value})
