"""`/settings/access`: who one is, and what one may do.

In the flow: where a page leads that shows less than somebody expected.
"""

from __future__ import annotations

from thv.apps.dashboard.asking import query_of
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.rights import who
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.problems import ProblemError, Word

_CAN_I = "/api/v1/me/can-i"
VERBS = {
    "get": "read",
    "list": "list",
    "create": "create",
    "update": "replace",
    "patch": "change",
    "delete": "delete",
}
"""As the API has them, in words."""
RESOURCES = {
    "mcpregistries": "registries",
    "mcpregistries/sync": "syncs of registries",
    "mcpservers": "installed servers",
    "mcptoolconfigs": "choices of tools",
}


SAYS_WHO = {
    "token-file": "the access file of this machine",
    "oidc": "a token of your identity provider",
    "one-time-link": "a one-time link, which only the owner of this machine can make",
}
"""How somebody is known where no cluster says it."""


class Access:
    """The page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row("/settings/access", self.show),)

    async def show(self, visit: Visit) -> Answer:
        """What is known of whoever looks, and the answer to what they asked."""
        me = await who(visit)
        asked = {name: visit.value(name) for name in ("verb", "resource", "namespace", "name")}
        allowed, problem = None, None
        if asked["verb"] and asked["resource"]:
            try:
                allowed = await _allowed(visit, asked)
            except ProblemError as refusal:
                if refusal.word is not Word.INVALID_REQUEST:
                    raise
                problem = refusal
        return self._desk.renderer.page(
            visit,
            "access.html",
            status=problem.status if problem else 200,
            me=me,
            says_who=SAYS_WHO.get(me.method, "the cluster, by your token"),
            spaces=[(each["name"], in_words(each["verbs"])) for each in me.namespaces],
            asked=asked,
            allowed=allowed,
            problem=problem,
            verbs=VERBS,
            resources=RESOURCES,
            twin=f"{_CAN_I}?{query_of(asked)}" if allowed is not None else "/api/v1/me",
        )


async def _allowed(visit: Visit, asked: dict[str, str]) -> bool:
    found = await visit.api.get(_CAN_I, **asked)
    return bool(found["allowed"])


def in_words(verbs: list[str]) -> list[str]:
    """What verbs on registries come to, for people."""
    held = set(verbs)
    said = []
    if held & {"get", "list", "watch"}:
        said.append("see its registries and what they hold")
    if "create" in held:
        said.append("make registries")
    if held & {"update", "patch"}:
        said.append("change, suspend and synchronize them")
    if "delete" in held:
        said.append("remove them")
    return said
