"""The query parameters of every endpoint, one row each.

In the flow: `endpoints` names them, the kit reads them.
"""

from __future__ import annotations

from typing import Any

from thv.apps.kit.http.parameters import (
    Parameter,
    Parse,
    boolean,
    integer,
    moment,
    one_of,
    selector,
    text,
)
from thv.apps.registry_api.cursors import CURSOR_SCHEMA, parse_cursor
from thv.domain.canonical import JsonObject
from thv.domain.resources import GROUP
from thv.stores.models.query import Form, Search, Sort, parse_search
from thv.stores.models.words import folded

SEARCH_LIMIT = 200
LONGEST_WAIT = 30
"""Seconds that a client may wait for a change."""


def row(name: str, kind: tuple[Parse, JsonObject], description: str, **more: Any) -> Parameter:
    """A parameter."""
    parse, schema = kind
    return Parameter(name=name, parse=parse, schema=schema, description=description, **more)


def _search() -> tuple[Parse, JsonObject]:
    bounded, schema = text(SEARCH_LIMIT)

    def parse(value: str) -> Search:
        return parse_search(bounded(value))

    return parse, schema


def _folded_search() -> tuple[Parse, JsonObject]:
    bounded, schema = text(SEARCH_LIMIT)
    return lambda value: folded(bounded(value)), schema


def _token() -> tuple[Parse, JsonObject]:
    bounded, schema = text(128)
    return bounded, {**schema, "pattern": r"^[0-9a-f]{16}(\.[0-9]{1,9})?$"}


def _sort(*keys: str) -> tuple[Parse, JsonObject]:
    spelled = [spelling for key in keys for spelling in (key, f"-{key}")]
    parse, schema = one_of(*spelled)
    return parse, schema


def list_row(name: str, kind: tuple[Parse, JsonObject], description: str, **more: Any) -> Parameter:
    """A parameter that is a list."""
    return row(name, kind, description, many=True, default=(), **more)


CURSOR = row(
    "cursor",
    (parse_cursor, CURSOR_SCHEMA),
    "Where the list goes on: next_cursor of the page before.",
)
LIMIT = row("limit", integer(1, 1000), "Rows on a page at most.", default=1000)
SEARCH = row(
    "search",
    _search(),
    'Words that must all begin a word of name, title, description, tags or tools; "..." is a phrase.',
)
FORMAT = row(
    "format",
    one_of(*(form.value for form in Form)),
    "Representation of servers; wins over the format parameter of Accept. Default: toolhive.",
)
VERSION = row(
    "version",
    text(255),
    "latest, or one exact version.",
    default="latest",
)
REGISTRY_INFO = row(
    "include_registry_info",
    boolean(),
    "Whether servers in ToolHive's format carry registry_info. Default: true.",
    default=True,
)

FILTERS = (
    list_row(
        "registry",
        text(318),
        "Registry that a server is of or came through: name or namespace/name.",
    ),
    list_row("category", text(63), "Functional category."),
    list_row("transport", one_of("stdio", "sse", "streamable-http", fold=True), "Transport."),
    list_row("tier", text(63), "Tier, without regard to case."),
    list_row("status", one_of("Active", "Deprecated", fold=True), "Status."),
    list_row("tags", text(200), "Tags that must all be there, without regard to case.", at_most=20),
    list_row("tools", text(200), "Tools that must all be there.", at_most=20),
    row(
        "labelSelector",
        selector(1024, 20),
        "Kubernetes label selector over our five labels (prefix optional) and scalar custom metadata.",
    ),
    SEARCH,
    list_row("kind", one_of("container", "remote", "package", fold=True), "How a server is run."),
    list_row("trust_level", one_of("raw", "tested", "trusted", fold=True), "Trust level."),
    list_row("group", text(200), "Group that a server is in."),
    row("updated_since", moment(), "Only what was updated strictly later, RFC 3339."),
)

SERVER_LIST = (
    *FILTERS,
    row(
        "version",
        text(255),
        "latest (default), all for every version, or one exact version.",
        default="latest",
    ),
    REGISTRY_INFO,
    FORMAT,
    row(
        "sort",
        _sort(*(sort.value for sort in Sort)),
        "Order, with - for descending; relevance needs search and is the default then, else name.",
    ),
    row("rank", one_of("bm25"), "bm25 orders the best matches of a search by their text."),
    LIMIT,
    CURSOR,
)
SERVER = (VERSION, REGISTRY_INFO, FORMAT)
SERVER_VERSION = (REGISTRY_INFO, FORMAT)
VERSIONS = (
    row("sort", _sort("version"), "Order: -version, newest first, is the default."),
    row("limit", integer(1, 1000), "Rows on a page at most.", default=1000),
    CURSOR,
    REGISTRY_INFO,
    FORMAT,
)
DIFFERENCE = (row("base", text(255), "Version to compare with.", required=True),)
GROUPS = (FORMAT,)
TOOLS = (
    list_row("registry", text(318), "As for servers."),
    list_row("category", text(63), "Functional category that most servers of a tool share."),
    row("search", _search(), "Words that must all begin a word of name or description."),
    row(
        "sort", one_of("name", "-name", "usage", "-usage"), "Order. Default: name.", default="name"
    ),
    LIMIT,
    CURSOR,
)
CHANGE_WAIT = row("wait", integer(0, LONGEST_WAIT), "Seconds to wait for a change.", default=0)
CHANGES = (
    row("since", _token(), "Token of the last answer; absent: nothing but the current token."),
    CHANGE_WAIT,
)
FEW = row("limit", integer(1, 200), "Rows on a page at most.", default=50)
LABEL_SELECTOR = row(
    "labelSelector",
    selector(1024, 20),
    "Kubernetes label selector over the labels of the installed servers; the prefix of ours is optional.",
)
BY_NAME = row("sort", one_of("name", "-name"), "Order. Default: name.", default="name")
DEPLOYMENTS = (LABEL_SELECTOR, BY_NAME, FEW, CURSOR)
EXPORT = (FORMAT,)
CAN_I = (
    row("verb", text(63), "What to do: get, list, create and so on.", required=True),
    row(
        "resource",
        text(253),
        "To what: plural, with a subresource behind a slash.",
        required=True,
    ),
    row("group", text(253), "API group of the resource.", default=GROUP),
    row("namespace", text(63), "Where; absent: in every namespace.", default=""),
    row("name", text(253), "To which one; absent: to any.", default=""),
)

OFFICIAL_LIST = (
    row("cursor", (parse_cursor, CURSOR_SCHEMA), "metadata.nextCursor of the page before."),
    row("limit", integer(1, 100), "Servers on a page at most.", default=30, typed=True),
    row(
        "search",
        _folded_search(),
        "Substring of name, title or description, without regard to case.",
    ),
    row(
        "updated_since",
        moment(),
        "Only what was updated strictly later, RFC 3339; includes deleted servers.",
    ),
    row(
        "version", text(255), "latest, or one exact version; absent: every version.", default="all"
    ),
    row(
        "include_deleted",
        boolean(),
        "Whether deleted servers are listed; true by itself with updated_since.",
        typed=True,
    ),
)
OFFICIAL_READ = (
    row(
        "include_deleted",
        boolean(),
        "Whether a deleted server is found.",
        default=False,
        typed=True,
    ),
)
