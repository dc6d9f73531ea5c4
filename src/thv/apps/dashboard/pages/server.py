"""`/servers/{namespace}/{registry}/{name}`: one server of one registry, as far as it is known.

In the flow: behind every name in a list. One page of sections rather than tabs, so that the browser's own search finds
what is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.desk import Desk, see_other
from thv.apps.dashboard.origins import origins_of
from thv.apps.dashboard.pages.deployments import DRIFTS
from thv.apps.dashboard.permissions import ALIKE, statements
from thv.apps.dashboard.subjects import PLACE, Asked, asked_of
from thv.apps.dashboard.tool_words import tools_of
from thv.apps.dashboard.visits import Visit
from thv.apps.dashboard.wording import hidden_places, passages
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.problems import ProblemError
from thv.domain.lenient import as_object, as_objects, as_text, as_texts
from thv.domain.text import label_value

_VERSIONS = 200
_SHOWN = 15
"""Versions that are shown before one asks for more."""
_DEPLOYMENTS = 50
_ROWS = 100
"""Packages, headers and arguments that are shown."""
_RAW = 12 * 1024
"""Characters of a raw form, and of what a publisher says, that are shown."""

_decode = msgspec.json.Decoder().decode


class Server:
    """One server."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row(PLACE, self.show), self._desk.row("/server/{name}", self.best))

    async def best(self, visit: Visit) -> Answer:
        """From a name alone to the page of the registry that answers for it."""
        server = await visit.api.get(path("/api/v1/servers/{}", visit.names["name"]))
        info = server["registry_info"]
        return see_other(path("/servers/{}/{}/{}", info["namespace"], info["name"], server["name"]))

    async def show(self, visit: Visit) -> Answer:
        """Everything that the API knows of it."""
        asked, api = asked_of(visit), visit.api
        server, best, versions, toolhive, upstream, deployments = await asyncio.gather(
            api.get(asked.api, **asked.pinned),
            api.get(asked.api),
            api.get(f"{asked.api}/versions", registry=asked.of, limit=_VERSIONS),
            api.read(asked.api, format="toolhive", **asked.pinned),
            api.read(asked.api, format="upstream", **asked.pinned),
            _deployments(visit, asked),
        )
        said = _said(versions["versions"], server["version"])
        content = _content(toolhive)
        return self._desk.renderer.page(
            visit,
            "server.html",
            asked=asked,
            server=server,
            said=said,
            versions=versions,
            shown_versions=_SHOWN,
            tools=tools_of(server["tools"]),
            statements=statements(server),
            alike=ALIKE[server["reach"]],
            packages=as_objects(server.get("packages"))[:_ROWS],
            headers=as_objects(server.get("headers"))[:_ROWS],
            arguments=as_texts(server.get("args"))[:_ROWS],
            signed=as_object(server.get("provenance")),
            overview=passages(as_text(content.get("overview"))[:_RAW]),
            hidden=hidden_places(content),
            origins=await origins_of(visit, asked, server, best),
            deployments=deployments,
            drifts=DRIFTS,
            raw=_raw(asked, toolhive, upstream),
            twin=asked.twin,
        )


def _said(versions: Sequence[dict[str, Any]], version: str) -> dict[str, Any]:
    """What the registry says of this version; nothing of one that is not listed."""
    return next((each for each in versions if each["version"] == version), {})


async def _deployments(visit: Visit, asked: Asked) -> list[dict[str, Any]] | None:
    """Where it runs; None where nobody knows, or who looks may not."""
    try:
        found = await visit.api.get(
            "/api/v1/deployments",
            registry=asked.of,
            labelSelector=f"server-name={label_value(asked.name)}",
            limit=_DEPLOYMENTS,
        )
    except ProblemError:
        return None
    rows: list[dict[str, Any]] = found["deployments"]
    return rows


def _content(toolhive: bytes) -> Any:
    """An entry without what the catalog adds."""
    found = _decode(toolhive)
    return {key: value for key, value in found.items() if key != "registry_info"}


# The raw entry -----------------------------------------------------------------------------------------------


class Raw(msgspec.Struct, frozen=True):
    """One spelling of the entry."""

    title: str
    text: str
    url: str
    is_cut: bool


def _raw(asked: Asked, toolhive: bytes, upstream: bytes) -> list[Raw]:
    forms = (("ToolHive format", "toolhive", toolhive), ("Upstream format", "upstream", upstream))
    made = []
    for title, form, content in forms:
        text = msgspec.json.format(content, indent=2).decode()
        url = f"{asked.api}?{query_of({**asked.pinned, 'format': form})}"
        made.append(Raw(title, text[:_RAW], url, len(text) > _RAW))
    return made
