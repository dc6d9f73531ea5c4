"""Who may read a registry: everybody, where it says so, else those whom the authorization lets.

In the flow: asked by the dispatcher, and by what tells of many registries together. A registry that everybody may
read asks nobody for a token and looks at none, so that it answers whatever becomes of an API server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.bearer import bearer_token
from thv.apps.kit.http.dispatch import Access, Authorize, Verdict
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api.served import Served
from thv.domain.permissions import LIST, Permission, all_open


class Guard:
    """Stands before the registries of one process."""

    def __init__(
        self,
        find: Callable[[str, str], Served | None],
        authorization: Authorization,
        is_told: Callable[[], bool],
        *,
        anonymous_read: bool = True,
    ) -> None:
        """`is_told`: whether it is known which registries there are.

        `anonymous_read`: whether callers whom nobody knows are told of several together.
        """
        self._anonymous_read = anonymous_read
        self._find = find
        self._authorization = authorization
        self._is_told = is_told

    def authorize(self, request: Request, access: Access) -> Verdict | Awaitable[Verdict]:
        """None lets the caller in. What a registry is open for is reading it, and no more."""
        served = self._find(access.namespace, access.name)
        if served is None and not self._is_told():
            return _not_told()
        if served is not None and is_open(served) and access.open and all_open(access.needs):
            return None
        return self._authorization.authorize(request, access)

    def user_of(self, request: Request, access: Access) -> str:
        """Who was let in, `""` where nobody was asked for."""
        served = self._find(access.namespace, access.name)
        if served is not None and is_open(served) and access.open:
            return ""
        return self._authorization.user_of(request, access)

    async def visible(
        self, request: Request, candidates: Sequence[Served], *, forwards: bool = False
    ) -> list[Served]:
        """Those of which a caller is told; raises ProblemError for a token that is not good.

        `forwards`: the token must be one that can be sent on. A caller whose token has ended must not take the rest for everything there is.
        """
        if not self._is_told():
            raise _not_told()
        public = [served for served in candidates if is_open(served)]
        if self._anonymous_read and public and bearer_token(request) is None:
            return public
        access = msgspec.structs.replace(EVERYWHERE, forwards=forwards)
        asked = {each.owner[0] for each in candidates}
        allowed = await self._namespaces(request, asked, access, LIST)
        return [each for each in candidates if is_open(each) or each.owner[0] in allowed]

    async def namespaces(
        self, request: Request, asked: set[str], permission: Permission
    ) -> set[str]:
        """Those of the namespaces in which the caller may do that; raises ProblemError for a token that is not good."""
        return await self._namespaces(request, asked, EVERYWHERE, permission)

    async def _namespaces(
        self, request: Request, asked: set[str], access: Access, permission: Permission
    ) -> set[str]:
        """Whoever may do it in every namespace takes one question; where there is one namespace alone, so does everybody."""
        caller = await self._authorization.caller(request, access)
        if len(asked) > 1 and await self._authorization.allows(caller, permission.on("")):
            return asked
        actions = [permission.on(namespace) for namespace in asked]
        return {each.namespace for each in await self._authorization.allowed(caller, actions)}


def owned(owner: Authorization | None) -> Authorize | None:
    """What stands before registries that everybody may read: whoever wants more is asked who they are; None: nothing.

    `owner` knows those who may do more.
    """
    if owner is None:
        return None

    def authorize(request: Request, access: Access) -> Verdict | Awaitable[Verdict]:
        is_reading = all(each.verb in _READING for each in access.needs)
        return None if is_reading else owner.authorize(request, access)

    return authorize


_READING = ("get", "list", "watch")
EVERYWHERE = Access("", "")


def is_open(served: Served) -> bool:
    """Whether everybody may read it."""
    return served.registry.spec.api.anonymous_read


def _not_told() -> ProblemError:
    return ProblemError(Word.SNAPSHOT_UNAVAILABLE, "Nothing was loaded yet.", retry_after=1)
