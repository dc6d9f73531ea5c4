"""`/servers/{namespace}/{registry}/{name}/install`: how one gets a server.

In the flow: behind the button of a server's page. Nothing is written from here: what is shown is to be copied.
"""

from __future__ import annotations

from typing import Any

import msgspec

from thv.apps.dashboard.asking import query_of
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.subjects import PLACE, Asked, asked_of
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.problems import ProblemError, Word

CLUSTERS = {
    "toolhive.stacklok.io/v1alpha1": "this product (toolhive.stacklok.io)",
    "toolhive.stacklok.dev/v1beta1": "ToolHive (toolhive.stacklok.dev)",
    "toolhive.stacklok.dev/v1alpha1": "an older ToolHive (toolhive.stacklok.dev/v1alpha1)",
}
"""Whose kind MCPServer a cluster has."""


class Install:
    """Commands, a manifest, and what a client is told."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row(f"{PLACE}/install", self.show),)

    async def show(self, visit: Visit) -> Answer:
        """What the API offers; what was typed wrongly is said at its field."""
        asked = asked_of(visit)
        given = {name: visit.value(name) for name in ("namespace", "api_version")}
        problem = None
        try:
            found = await visit.api.get(_api(asked), **asked.pinned, **given)
        except ProblemError as error:
            if error.word is not Word.INVALID_REQUEST or error.field not in given:
                raise
            problem, wrong = error, {error.field: ""}
            found = await visit.api.get(_api(asked), **asked.pinned, **{**given, **wrong})
        vscode = found["vscode"]
        return self._desk.renderer.page(
            visit,
            "install.html",
            status=problem.status if problem else 200,
            asked=asked,
            offer=found,
            client=_spelled(found["client"]),
            vscode=_spelled(vscode and vscode["file"]),
            is_called="url" in next(iter(vscode["file"]["servers"].values())) if vscode else False,
            given=given,
            problem=problem,
            clusters=CLUSTERS,
            twin=f"{_api(asked)}?{query_of({**asked.pinned, **given})}",
        )


def _spelled(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _api(asked: Asked) -> str:
    return f"{asked.api}/install"
