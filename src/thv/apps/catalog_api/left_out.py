"""C29: the names that a registry leaves out, and the rules that keep them out.

In the flow: a sync stored the list, bounded, beside the chunks of the snapshot. It is for callers who are known: a source
may hold what its registry hides for a reason.
"""

from __future__ import annotations

from thv.apps.catalog_api import words
from thv.apps.catalog_api.catalog import catalog_of
from thv.apps.catalog_api.cursors import Cursor, cursor_text, key_in
from thv.apps.catalog_api.endpoints import api
from thv.apps.catalog_api.generation_writers import require_reader
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.caching import PRIVATE
from thv.apps.kit.http.endpoints import Call, Endpoint
from thv.apps.kit.http.message import JSON, Answer, encode
from thv.apps.registry_api.cursors import query_tag
from thv.apps.registry_api.pages import resolved
from thv.domain.canonical import JsonObject
from thv.domain.left_out import LeftOut, parse
from thv.domain.permissions import READ
from thv.domain.registry import Registry
from thv.domain.registry_status import Statistics
from thv.stores.chunks.base import Owner

_LISTED = 100
"""Names that the command of the hint lists."""


class LeftOuts:
    """Answers requests for what registries leave out."""

    def __init__(self, authorization: Authorization | None) -> None:
        self._authorization = authorization

    async def read(self, call: Call) -> Answer:
        """A page of names, for whoever may read the registry."""
        namespace, name = call.names["namespace"], call.names["registry"]
        await require_reader(
            self._authorization,
            call,
            refusal="tells nobody what registries leave out",
            command=f"thv registry show {name} -n {namespace} --left-out {_LISTED}",
        )
        registry = catalog_of(call).at(namespace, name).registry
        return _page(
            call, registry.status.statistics or Statistics(), await _listed(call, registry)
        )


async def _listed(call: Call, registry: Registry) -> list[LeftOut]:
    statistics = registry.status.statistics
    if statistics is None or statistics.left_out is None:
        return []
    owner = Owner(registry.namespace, registry.name, registry.uid)
    return parse(await catalog_of(call).chunks.get(owner, statistics.left_out))


def _page(call: Call, statistics: Statistics, every: list[LeftOut]) -> Answer:
    limit, tag = call.values["limit"], query_tag("C29", resolved(call.values, "cursor", "limit"))
    wanted = [each for each in every if _is_wanted(each, call)]
    after = _after(call, tag)
    rest = [each for each in wanted if each.name > after]
    shown = rest[:limit]
    entries = statistics.filtered_out + statistics.blocked
    metadata: JsonObject = {
        "total_count": len(every),
        "filtered_count": len(wanted),
        "count": len(shown),
        "entries": entries,
        "complete": sum(each.versions for each in every) == entries,
    }
    if len(rest) > limit:
        metadata["next_cursor"] = cursor_text("", tag, (shown[-1].name,))
    body = {"left_out": shown, "metadata": metadata}
    return Answer(200, (JSON, PRIVATE), encode(body), rows=len(shown))


def _after(call: Call, tag: str) -> str:
    cursor: Cursor | None = call.values["cursor"]
    key = key_in(cursor, tag, 1)
    return "" if key is None else str(key[0])


def _is_wanted(each: LeftOut, call: Call) -> bool:
    search, rules = call.values["search"], call.values["rule"]
    is_named = search is None or search.casefold() in each.name.casefold()
    return is_named and (not rules or not set(rules).isdisjoint(each.rules))


def left_out_rows(left_outs: LeftOuts) -> tuple[Endpoint, ...]:
    """C29."""
    return (
        api(
            "C29",
            "/namespaces/{namespace}/registries/{registry}/left-out",
            left_outs.read,
            "List the names that a registry leaves out",
            words.LEFT_OUT,
            answers=("LeftOutList",),
            errors=(404,),
            needs=(READ,),
            scoped=True,
        ),
    )
