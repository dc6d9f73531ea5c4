"""The query parameters of the catalog's endpoints, one row each.

In the flow: `endpoints` names them, the kit reads them.
"""

from __future__ import annotations

from thv.apps.catalog_api.cursors import parse_cursor
from thv.apps.catalog_api.since import SINCE_SCHEMA, parse_since
from thv.apps.catalog_api.states import LONGEST_WAIT
from thv.apps.kit.http.parameters import Parse, boolean, integer, one_of, selector, text
from thv.apps.registry_api.cursors import CURSOR_SCHEMA
from thv.apps.registry_api.words import (
    BY_NAME,
    CHANGE_WAIT,
    FEW,
    LABEL_SELECTOR,
    LIMIT,
    SEARCH_LIMIT,
    VERSION,
    VERSIONS,
    list_row,
    row,
)
from thv.domain.canonical import JsonObject
from thv.domain.reach import Reach
from thv.domain.registry import SourceType, TrustLevel
from thv.domain.registry_status import HISTORY_LIMIT
from thv.domain.resources import MCP_SERVER, SERVER_KINDS
from thv.domain.selectors import dns_label_problem
from thv.stores.catalogs.query import CLASSES
from thv.stores.catalogs.tools import ToolSort
from thv.stores.models.query import Sort

FORMATS = ("catalog", "toolhive", "upstream")
MEMBERS = (
    "name", "display_name", "description", "category", "provider", "image", "url", "packages", "transport",
    "target_port", "tools", "tags", "metadata", "deployment_config", "tier", "status", "version",
    "reach", "functional_category", "air_gapped", "registry_info",
)  # fmt: skip
"""Of an element of the list of servers."""


CURSOR = row(
    "cursor",
    (parse_cursor, CURSOR_SCHEMA),
    "Where the list goes on: next_cursor of the page before.",
)
FORMAT = row(
    "format",
    one_of(*FORMATS),
    "Representation of servers; wins over the format parameter of Accept. Default: catalog.",
)
NAMESPACES = list_row("namespace", text(63), "Namespace of a registry.")
REGISTRY_LIST = list_row("registry", text(318), "Registry: name or namespace/name.")
REGISTRY = row(
    "registry",
    text(318),
    "The registry that answers, as name or namespace/name; absent: the best one that has the server.",
)
TRUST_LEVELS = list_row(
    "trust_level",
    one_of(*(level.value for level in TrustLevel), fold=True),
    "Trust level of the registry.",
)
SEARCH = row(
    "search",
    text(SEARCH_LIMIT),
    'Words that must all begin a word of name, title, description, tags or tools; "..." is a phrase. '
    "Where nothing has all of them: what has the most and the rarest ones, with metadata.partial.",
)


def _sort() -> tuple[Parse, JsonObject]:
    return one_of(*(spelled for each in Sort for spelled in (each.value, f"-{each.value}")))


def _namespace() -> tuple[Parse, JsonObject]:
    def parse(value: str) -> str:
        problem = dns_label_problem(value)
        if problem:
            raise ValueError(problem)
        return value

    return parse, {"type": "string", "maxLength": 63}


SERVERS = (
    list_row(
        "category",
        one_of(*CLASSES, fold=True),
        "Class of a server: validated is what a trusted registry serves, community everything else.",
        hint="For what a server is for, such as database: functional_category.",
    ),
    list_row("tags", text(200), "Tags that must all be there, without regard to case.", at_most=20),
    list_row("tools", text(200), "Tools that must all be there.", at_most=20),
    SEARCH,
    list_row("functional_category", text(63), "What a server is for."),
    list_row("tier", text(63), "Tier, without regard to case."),
    list_row("transport", one_of("stdio", "sse", "streamable-http", fold=True), "Transport."),
    list_row("status", one_of("Active", "Deprecated", fold=True), "Status."),
    TRUST_LEVELS,
    list_row(
        "kind",
        one_of("container", "remote", "package", "none", fold=True),
        "How a server is run; none: its entry does not say.",
    ),
    list_row(
        "reach",
        one_of(*(each.value for each in Reach), fold=True),
        "Hosts that a server may connect to, as its entry declares. undeclared: it does not say; "
        "remote: it runs somewhere else, where no declaration limits it.",
    ),
    row(
        "labelSelector",
        selector(1024, 20),
        "Kubernetes label selector over our five labels (prefix optional) and scalar custom metadata.",
    ),
    REGISTRY_LIST,
    NAMESPACES,
    FORMAT,
    row("signed", boolean(), "Whether the entry says who signs it."),
    list_row("scan", one_of("pass", "fail", "unknown", fold=True), "Outcome of the last scan."),
    row(
        "duplicates",
        one_of("collapse", "all"),
        "One row a name, of the best registry that has it (collapse), or one a registry (all).",
        default="collapse",
    ),
    row(
        "facets",
        boolean(),
        "Whether metadata.facets counts the values of attributes over what was found, each attribute without its own "
        "filter but tags, which must all be there; registry counts what each has, also where a better one answers.",
        default=False,
    ),
    list_row("fields", one_of(*MEMBERS), "Members of each server to answer; name is always there."),
    row(
        "sort",
        _sort(),
        "Order, with - for descending; relevance needs search and is the default then, else name.",
    ),
    LIMIT,
    CURSOR,
)
SERVER = (REGISTRY, VERSION, FORMAT)
SERVER_VERSION = (REGISTRY, FORMAT)
SERVER_VERSIONS = (REGISTRY, *(each for each in VERSIONS if each.name != "include_registry_info"))
DIFFERENCE = (
    row("base", text(255), "Version to compare with.", required=True),
    REGISTRY,
    row("base_registry", text(318), "Registry of the base, where it is another one."),
)
INSTALL = (
    REGISTRY,
    VERSION,
    row("namespace", _namespace(), "Namespace of the server that is to be; that of the registry."),
    row(
        "api_version",
        one_of(*(kind.api_version for kind in SERVER_KINDS)),
        "Group and version of MCPServer on the cluster.",
        default=MCP_SERVER.api_version,
    ),
)
TOOLS = (
    row("search", text(SEARCH_LIMIT), "Words that must all begin a word of name or description."),
    list_row("category", text(63), "Functional category that most servers of a tool share."),
    list_row("server", text(200), "Servers that offer it, by name."),
    REGISTRY_LIST,
    TRUST_LEVELS,
    row(
        "facets",
        boolean(),
        "Whether metadata.facets counts what was found by category, whichever category was asked for.",
        default=False,
    ),
    row(
        "sort",
        one_of(*(f"{way}{each.value}" for each in ToolSort for way in ("", "-"))),
        "Order, with - for descending; relevance needs search and is the default then, else name.",
    ),
    LIMIT,
    CURSOR,
)
REGISTRIES = (
    NAMESPACES,
    TRUST_LEVELS,
    list_row("source_type", one_of(*(kind.value for kind in SourceType)), "Kind of source."),
    row("ready", boolean(), "Whether the condition Ready holds."),
    row("search", text(SEARCH_LIMIT), "Words that are all in name, title or description."),
    row("labelSelector", selector(1024, 20), "Kubernetes label selector over the labels."),
    row(
        "syncs",
        integer(0, HISTORY_LIMIT),
        "How many of the last syncs of each registry to tell: those that changed something or failed.",
        default=0,
    ),
)
STATISTICS = (NAMESPACES,)
CHANGES = (
    row(
        "since",
        (parse_since, SINCE_SCHEMA),
        "Token of the last answer; absent: nothing but the current token.",
    ),
    CHANGE_WAIT,
    REGISTRY_LIST,
)
DEPLOYMENTS = (
    list_row("namespace", text(63), "Namespace of an installed server."),
    REGISTRY_LIST,
    row(
        "origin",
        one_of("registry", "none"),
        "Servers that name a registry (registry), or those that name none (none), which can be adopted.",
        default="registry",
    ),
    LABEL_SELECTOR,
    BY_NAME,
    FEW,
    CURSOR,
)
LEFT_OUT = (
    row("search", text(SEARCH_LIMIT), "Part of a name, without regard to case."),
    list_row("rule", text(63), "Rule that keeps a name out, such as filter.exclude.tags."),
    FEW,
    CURSOR,
)
WHICH = (row("registry", text(63), "The registry that is meant, where there are several."),)
WAIT = (
    row("wait", integer(0, LONGEST_WAIT), "Seconds to wait for the end of the sync. Default: 0."),
)
