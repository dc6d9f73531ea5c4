"""The query parameters of the catalog's endpoints, one row each.

In the flow: `endpoints` names them, the kit reads them.
"""

from __future__ import annotations

from thv.apps.kit.http.parameters import boolean, one_of, selector, text
from thv.apps.registry_api.words import SEARCH_LIMIT, list_row, row
from thv.domain.registry import SourceType, TrustLevel

NAMESPACES = list_row("namespace", text(63), "Namespace of a registry.")
TRUST_LEVELS = list_row(
    "trust_level", one_of(*(level.value for level in TrustLevel), fold=True), "Trust level."
)

REGISTRIES = (
    NAMESPACES,
    TRUST_LEVELS,
    list_row("source_type", one_of(*(kind.value for kind in SourceType)), "Kind of source."),
    row("ready", boolean(), "Whether the condition Ready holds."),
    row("search", text(SEARCH_LIMIT), "Words that are all in name, title or description."),
    row("labelSelector", selector(1024, 20), "Kubernetes label selector over the labels."),
)
