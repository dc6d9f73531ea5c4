"""`/servers/{namespace}/{registry}/{name}`: one server of one registry, as far as it is known.

In the flow: behind every name in a list. One page of sections rather than tabs, so that the browser's own search finds
what is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.pages.deployments import DRIFTS
from thv.apps.dashboard.permissions import statements
from thv.apps.dashboard.tool_words import Hint, Parameter, hints, parameters
from thv.apps.dashboard.visits import Visit
from thv.apps.dashboard.wording import hidden_places
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.problems import ProblemError
from thv.domain.text import label_value

PLACE = "/servers/{namespace}/{registry}/{name}"
_VERSIONS = 200
_SHOWN = 15
"""Versions that are shown before one asks for more."""
_ORIGINS = 12
"""Other registries that are asked what they have of it."""
_DEPLOYMENTS = 50
_ROWS = 100
"""Packages, headers and arguments that are shown."""
_SCHEMA_BYTES = 96 * 1024
"""Of the input of all tools together: what more there is can be had as JSON."""
_RAW = 12 * 1024
"""Characters of a raw form that are shown."""

_decode = msgspec.json.Decoder().decode


class Asked(msgspec.Struct, frozen=True):
    """The server that is looked at."""

    namespace: str
    registry: str
    name: str
    version: str

    @property
    def of(self) -> str:
        """The registry, as the API names it."""
        return f"{self.namespace}/{self.registry}"

    @property
    def key(self) -> str:
        """As a selection has it."""
        return f"{self.of}/{self.name}"

    @property
    def place(self) -> str:
        """Its page."""
        return path("/servers/{}/{}/{}", self.namespace, self.registry, self.name)

    @property
    def api(self) -> str:
        """Its address in the API."""
        return path("/api/v1/servers/{}", self.name)

    @property
    def pinned(self) -> dict[str, str]:
        """The query that means this one and no other."""
        return {"registry": self.of, "version": self.version}

    @property
    def twin(self) -> str:
        """The request that answers the same."""
        return f"{self.api}?{query_of(self.pinned)}"


def asked_of(visit: Visit) -> Asked:
    """Which server the address means."""
    names = visit.names
    version = visit.value("version") or "latest"
    return Asked(names["namespace"], names["registry"], names["name"], version)


class Tool(msgspec.Struct, frozen=True):
    """A tool as its section shows it."""

    name: str
    description: str
    hints: list[Hint]
    parameters: tuple[Parameter, ...] = ()
    is_described: bool = False
    """Whether there is a schema of its input."""
    has_more: bool = False
    """Whether there is more than is shown."""

    @property
    def is_told(self) -> bool:
        """Whether more than its name is known."""
        return bool(self.description or self.hints or self.is_described)


class Origin(msgspec.Struct, frozen=True):
    """What a registry has of the server."""

    namespace: str
    name: str
    trust_level: str
    version: str
    is_this: bool
    is_best: bool
    is_same: bool
    """Whether the content is that of this page."""


class Server:
    """One server."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row(PLACE, self.show),)

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
            packages=_objects(server.get("packages")),
            headers=_objects(server.get("headers")),
            arguments=_texts(server.get("args")),
            signed=_members(server.get("provenance")),
            hidden=hidden_places(_content(toolhive)),
            origins=await _origins(visit, asked, server, best),
            deployments=deployments,
            drifts=DRIFTS,
            raw=_raw(asked, toolhive, upstream),
            twin=asked.twin,
        )


def tools_of(tools: Iterable[dict[str, Any]]) -> list[Tool]:
    """The tools with what they take, as long as there is room for it."""
    found, left = [], _SCHEMA_BYTES
    for each in tools:
        schema = each.get("input_schema")
        left -= len(msgspec.json.encode(schema)) if schema is not None else 0
        shown, has_more = parameters(schema) if left >= 0 else ((), True)
        found.append(
            Tool(
                name=each["name"],
                description=each["description"],
                hints=hints(each.get("annotations")),
                parameters=shown,
                is_described=schema is not None,
                has_more=has_more,
            )
        )
    return found


def _said(versions: Sequence[dict[str, Any]], version: str) -> dict[str, Any]:
    """What the registry says of this version; nothing of one that is not listed."""
    return next((each for each in versions if each["version"] == version), {})


async def _origins(
    visit: Visit, asked: Asked, server: dict[str, Any], best: dict[str, Any]
) -> list[Origin]:
    """The registries that have it, the one that answers by default first."""
    wanted = [best["registry_info"], server["registry_info"]]
    known = {(each["namespace"], each["name"]) for each in wanted}
    others = [
        each
        for each in server["registry_info"]["also_in"]
        if tuple(each.split("/", 1)) not in known
    ]
    told = await asyncio.gather(*(_told(visit, asked, each) for each in others[:_ORIGINS]))
    infos = [*wanted[: 1 if len(known) == 1 else 2], *(each for each in told if each)]
    return [_origin(each, asked, server, best) for each in infos]


async def _told(visit: Visit, asked: Asked, registry: str) -> dict[str, Any] | None:
    try:
        found = await visit.api.get(asked.api, registry=registry)
    except ProblemError:
        return None  # it went meanwhile
    info: dict[str, Any] = found["registry_info"]
    return info


def _origin(
    info: dict[str, Any], asked: Asked, server: dict[str, Any], best: dict[str, Any]
) -> Origin:
    place = (info["namespace"], info["name"])
    chosen = best["registry_info"]
    return Origin(
        namespace=info["namespace"],
        name=info["name"],
        trust_level=info["trust_level"],
        version=info["version"],
        is_this=place == (asked.namespace, asked.registry),
        is_best=place == (chosen["namespace"], chosen["name"]),
        is_same=info["digest"] == server["registry_info"]["digest"],
    )


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


# Entries come from strangers: a field of another type is an absent one ---------------------------------------


def _members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    every = value if isinstance(value, list) else []
    return [each for each in every[:_ROWS] if isinstance(each, dict)]


def _texts(value: Any) -> list[str]:
    every = value if isinstance(value, list) else []
    return [each for each in every[:_ROWS] if isinstance(each, str)]


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
