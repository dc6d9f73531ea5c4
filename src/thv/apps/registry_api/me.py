"""M7 and M8: who a caller is, what that one may do to the registries of this door, and who gives tokens for it.

In the flow: as `servers`, at the root of a door. Nothing is told but what concerns the caller: a namespace in which
one may do nothing is not named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from thv.apps.kit.authorization import Authorization, Known
from thv.apps.kit.http.bearer import bearer_token
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.endpoints import Call, Handler
from thv.apps.kit.http.message import Answer, json_answer
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.domain.access import Action
from thv.domain.permissions import REGISTRIES
from thv.domain.resources import GROUP

READING = ("get", "list", "watch")
VERBS = (*READING, "create", "update", "patch", "delete")
EVERYBODY = "local"
"""The user of a door that asks nobody who they are."""

Namespaces = Callable[[], Iterable[str]]
"""Those that have a registry here."""


def read_me(
    authorization: Authorization | None, namespaces: Namespaces, *, is_open: bool = False
) -> Handler:
    """The handler; without authorization everybody is one user, who reads; so is a stranger where it `is_open`."""

    async def handler(call: Call) -> Answer:
        if authorization is None or (is_open and bearer_token(call.request) is None):
            spaces = [{"name": name, "verbs": READING} for name in sorted(set(namespaces()))]
            return _answer(EVERYBODY, "", (), "none", spaces)
        caller = await authorization.caller(call.request, Access(*(call.owner or ("", "")), ()))
        named = {call.owner[0]} if call.owner else set(namespaces())
        name = call.owner[1] if call.owner else ""
        asked = [_space(authorization, caller, space, name) for space in sorted(named)]
        found = await asyncio.gather(*asked)
        who = caller.identity
        return _answer(who.user, who.uid, who.groups, who.method, [s for s in found if s["verbs"]])

    return handler


def read_right(authorization: Authorization | None, *, is_open: bool = False) -> Handler:
    """The handler that tells whether the caller may do one thing."""

    async def handler(call: Call) -> Answer:
        action = _action(call)
        if authorization is None or (is_open and bearer_token(call.request) is None):
            reads = action.verb in READING and action.resource == REGISTRIES
            return json_answer({"allowed": reads and action.group == GROUP})
        caller = await authorization.caller(call.request, Access(*(call.owner or ("", "")), ()))
        return json_answer({"allowed": await authorization.allows(caller, action)})

    return handler


def read_resource(authorization: Authorization | None) -> Handler:
    """The handler that tells a client where it gets a token, as RFC 9728 has it; only where an issuer is known."""

    def handler(call: Call) -> Answer:
        issuers = authorization.issuers() if authorization is not None else ()
        if not issuers:
            raise ProblemError(Word.NOT_FOUND, "No issuer of tokens is known to this server.")
        host = call.request.header(b"host")
        return json_answer(
            {
                "resource": f"{call.request.scheme}://{host}",
                "bearer_methods_supported": ["header"],
                "scopes_supported": ["mcp-registry:read"],
                "authorization_servers": list(dict.fromkeys(issuers)),
            }
        )

    return handler


def _action(call: Call) -> Action:
    for name in ("verb", "resource"):
        if call.values[name] is None:
            culprit = Culprit("is required", f"query.{name}")
            raise ProblemError(Word.INVALID_REQUEST, f"{name} is required.", culprits=[culprit])
    return Action(**call.values)


async def _space(
    authorization: Authorization, caller: Known, namespace: str, name: str
) -> dict[str, object]:
    actions = [
        Action(verb=verb, resource=REGISTRIES, namespace=namespace, name=name) for verb in VERBS
    ]
    allowed = await authorization.allowed(caller, actions)
    return {"name": namespace, "verbs": [each.verb for each in allowed]}


def _answer(user: str, uid: str, groups: tuple[str, ...], method: str, spaces: object) -> Answer:
    body = {"user": user, "uid": uid, "groups": groups, "method": method, "namespaces": spaces}
    return json_answer(body)
