"""`/docs/offline/...`: the page of a server that came in a bundle, for people who can look nowhere else.

In the flow: where `offline_docs_path` of an entry leads. A bundle's pages are made of its entries, so that this one is made
again of the entry that is served: nothing else of the bundle has to be kept.
"""

from __future__ import annotations

import re
from typing import Any

from thv.apps.dashboard.asking import path
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import NO_STORE, Answer
from thv.apps.kit.http.problems import ProblemError, Word
from thv.catalog.bundle.pages import page
from thv.formats.official import RejectedError
from thv.formats.toolhive import entry_of_toolhive

PLACE = "/docs/offline/docs/{folder}/README.md"
_MOST = 100
"""Servers that are looked through for the one whose page it is."""
_WORDS = 10
_HASH = re.compile(r"-[0-9a-f]{8}$")
_HEADERS = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-security-policy", b"sandbox; default-src 'none'; frame-ancestors 'none'"),
    NO_STORE,
)
"""It is text, and does nothing even where somebody takes it for something else."""


class Offline:
    """Pages that were packed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row(PLACE, self.show),)

    async def show(self, visit: Visit) -> Answer:
        """The page as Markdown."""
        folder = visit.names["folder"]
        wanted = f"docs/{folder}/README.md"
        words = _HASH.sub("", folder).replace("-", " ").split()[:_WORDS]
        found = await visit.api.get(
            "/api/v1/mcp_servers",
            search=" ".join(words) or folder,
            duplicates="all",
            fields="air_gapped,registry_info",
            limit=_MOST,
        )
        for each in found["servers"]:
            if each["air_gapped"].get("offline_docs_path") == wanted:
                return Answer(200, _HEADERS, await _page(visit, each))
        raise _nothing(wanted)


async def _page(visit: Visit, server: dict[str, Any]) -> bytes:
    told = server["registry_info"]
    value = await visit.api.get(
        path("/api/v1/servers/{}", server["name"]),
        registry=f"{told['namespace']}/{told['name']}",
        format="toolhive",
    )
    section = "remote_servers" if "url" in value else "servers"
    name = value.pop("name")
    value.pop("registry_info", None)
    try:
        return page(entry_of_toolhive(name, value, section=section))
    except RejectedError as error:
        raise _nothing(name) from error


def _nothing(what: str) -> ProblemError:
    return ProblemError(
        Word.NOT_FOUND,
        f"No server that you may see has the page {what}.",
        hint="Servers that came in a bundle have pages; search for the server itself.",
    )
