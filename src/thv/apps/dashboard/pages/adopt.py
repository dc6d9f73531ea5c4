"""`/deployments/adopt`: which server of which registry an installed one is.

In the flow: from a server that names no registry, or one that its registry does not have, back to the list. What it may be
is guessed and chosen with one click; anything else is typed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.desk import Desk, see_other
from thv.apps.dashboard.forms import Form, first
from thv.apps.dashboard.rights import SERVERS, may, who
from thv.apps.dashboard.selection import parts
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.problems import ProblemError
from thv.domain.resources import PREFIX
from thv.domain.text import label_value

_PLACE = "/deployments/adopt"
_MOST_NAMES = 200
"""Registries whose names are offered while one types."""
_FIELDS = ("registry", "server", "move", "group")
LIKENESSES = {
    "image": "it runs the same image",
    "repository": "it runs another version of the image",
    "name": "it has the same name, and another image",
}


class Adopt:
    """The form."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        row = self._desk.row
        return row(_PLACE, self.show), row(_PLACE, self.adopt, method="POST")

    async def show(self, visit: Visit) -> Answer:
        """What it may be, the best guess chosen."""
        given = {name: [visit.value(name)] for name in ("namespace", "name")}
        return await self._page(visit, given)

    async def adopt(self, visit: Visit) -> Answer:
        """Says it; what is refused is said at its field."""
        form = visit.form
        try:
            await visit.api.post(f"{_api(form)}/adopt", _body(form))
        except ProblemError as problem:
            return await self._page(visit, form, problem)
        said = {"namespace": first(form, "namespace"), "done": "adopted"}
        return see_other(f"/deployments?{query_of(said)}")

    async def _page(self, visit: Visit, form: Form, problem: ProblemError | None = None) -> Answer:
        namespace = first(form, "namespace")
        found, registries, me, allowed = await asyncio.gather(
            visit.api.get(f"{_api(form)}/candidates"),
            visit.api.get("/api/v1/registries"),
            who(visit),
            may(visit, "patch", SERVERS, namespace),
        )
        choices = [{**each, "key": _key(each)} for each in found["candidates"]]
        return self._desk.renderer.page(
            visit,
            "adopt.html",
            status=problem.status if problem else 200,
            deployment=found["deployment"],
            choices=choices,
            chosen=_chosen(form, choices),
            values={name: first(form, name) for name in (*_FIELDS, "namespace", "name")},
            registries=_names(registries["registries"]),
            errors=dict(_errors(form, problem)) if problem else {},
            problem=problem,
            me=me,
            allowed=allowed,
            likenesses=LIKENESSES,
            command=_command(found["deployment"], found["candidates"]),
            twin=f"{_api(form)}/candidates",
        )


def _api(form: Form) -> str:
    names = first(form, "namespace"), first(form, "name")
    return path("/api/v1/namespaces/{}/deployments/{}", *names)


def _names(registries: list[dict[str, Any]]) -> list[str]:
    return [f"{each['namespace']}/{each['name']}" for each in registries[:_MOST_NAMES]]


def _key(candidate: dict[str, Any]) -> str:
    """As a selection names a server."""
    return f"{candidate['registry']}/{candidate['server']}"


def _command(deployment: dict[str, Any], candidates: list[dict[str, Any]]) -> str:
    """What somebody types who may; names are spelled as labels are, which no shell takes for anything else."""
    best = candidates[0] if candidates else {"registry": "NAMESPACE/REGISTRY", "server": "SERVER"}
    namespace, _, registry = best["registry"].partition("/")
    labels = {
        "registry-namespace": namespace,
        "registry-name": registry,
        "server-name": best["server"],
    }
    lines = [f"kubectl label mcpserver {deployment['name']} -n {deployment['namespace']}"]
    lines += [f"  {PREFIX}{key}={label_value(value)}" for key, value in labels.items()]
    return " \\\n".join(lines)


def _chosen(form: Form, choices: list[dict[str, Any]]) -> str:
    """The choice that was made; before that the best one, and `""` for one that is typed."""
    if "entry" in form or not choices:
        return first(form, "entry")
    return str(choices[0]["key"])


def _body(form: Form) -> dict[str, Any]:
    entry = first(form, "entry")
    if entry.count("/") > 1:
        namespace, registry, server = parts(entry)
        said: dict[str, Any] = {"registry": f"{namespace}/{registry}", "server": server}
    else:
        said = {name: first(form, name) for name in ("registry", "server")}
    if first(form, "group"):
        said["group"] = first(form, "group")
    return {**said, "move": bool(first(form, "move"))}


def _errors(form: Form, problem: ProblemError) -> Iterator[tuple[str, list[str]]]:
    """What the API refuses, at the field that it comes from."""
    for each in problem.culprits:
        name = each.location.partition(".")[2]
        if name in ("registry", "server") and first(form, "entry"):
            name = "entry"
        if name in (*_FIELDS, "entry"):
            yield name, [each.message]
