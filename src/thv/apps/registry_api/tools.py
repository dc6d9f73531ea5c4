"""R9 and R10: the tools of a registry.

In the flow: as `servers`.
"""

from __future__ import annotations

from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api.cursors import Cursor, cursor_text, position_in, query_tag
from thv.apps.registry_api.pages import PLAIN_JSON, answer, next_link, resolved
from thv.apps.registry_api.served import Served
from thv.apps.registry_api.servers import place_of
from thv.domain.canonical import JsonObject
from thv.stores.models import tools
from thv.stores.models.query import Position, ToolQuery
from thv.stores.models.tools import ToolPage
from thv.stores.models.view import View


def list_tools(call: Call) -> Answer:
    """R9: the tools of a registry and who offers them."""
    served = place_of(call)
    cursor: Cursor | None = call.values["cursor"]
    tag = query_tag(call.endpoint.id, resolved(call.values, "cursor", "limit"))
    after = position_in(cursor, tag)
    view = served.view_of(cursor.content) if cursor else served.view()
    more: list[Header] = []

    def make() -> tuple[Header, bytes]:
        page = _page(call, served, view, after.place)
        following = ""
        if page.following:
            following = cursor_text(page.following, view.generation.content, tag)
            more.append(next_link(call, following))
        return PLAIN_JSON, encode(_tool_list(page, following))

    return answer(call, served, view, make).with_headers(more)


def _page(call: Call, served: Served, view: View, start: int) -> ToolPage:
    values = call.values
    own = {served.own.name, f"{served.own.namespace}/{served.own.name}"}
    if values["registry"] and own.isdisjoint(values["registry"]):
        categories, total = tools.categories(view)
        return ToolPage((), categories, total, 0, None)
    sort: str = values["sort"]
    query = ToolQuery(
        search=values["search"],
        categories=values["category"],
        by_usage=sort.endswith("usage"),
        descending=sort.startswith("-"),
    )
    return tools.page(view, query, Position(start), values["limit"])


def _tool_list(page: ToolPage, following: str) -> JsonObject:
    metadata = {
        "total_count": page.total,
        "filtered_count": page.filtered,
        "count": len(page.tools),
    }
    listed = [
        {
            "name": tool.name,
            "description": tool.description,
            "category": tool.category,
            "servers": tool.servers,
            "usage_count": tool.usage,
        }
        for tool in page.tools
    ]
    return {
        "tools": listed,
        "categories": page.categories,
        "metadata": {**metadata, "next_cursor": following} if following else metadata,
    }


def read_tool(call: Call) -> Answer:
    """R10: one tool and the servers that offer it."""
    served = place_of(call)
    view = served.view()

    def make() -> tuple[Header, bytes]:
        found = tools.tool(view, call.names["tool"])
        if found is None:
            raise ProblemError(
                Word.TOOL_NOT_FOUND,
                "There is no such tool.",
                field="tool",
                value=call.names["tool"],
            )
        body = {
            "name": found.name,
            "description": found.description,
            "category": found.category,
            "servers": tools.offers(view, found.name),
            "usage_count": found.usage,
        }
        return PLAIN_JSON, encode(body)

    return answer(call, served, view, make)
