"""Who a caller is, and whether that one may have what is asked for; whoever cannot be checked is refused.

In the flow: asked by the dispatcher before an endpoint answers. `Reviews` say who somebody is and what they may do: the
API server of a cluster, or a file of this machine. What they said holds for some seconds.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeAlias

import msgspec

from thv.apps.kit.http.bearer import (
    UNUSABLE,
    bearer_token,
    invalid_token,
    not_forwardable,
    unauthenticated,
)
from thv.apps.kit.http.dispatch import Access, Verdict
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.remembered import Kept, Remembered
from thv.apps.kit.reviews import Identity, ReviewFailedError, Reviews
from thv.apps.kit.sparing import Sparing
from thv.domain.access import Action

log = logging.getLogger(__name__)

KNOWN_FOR = 10.0
"""Seconds that somebody is known: no token is reviewed twice in ten."""
ALLOWED_FOR = 8.0
"""Seconds that a right holds: with those that an API server needs to learn of a change, less than ten."""
REFUSED_FOR = 2.0
"""Seconds that a no holds; one of many that were asked for together holds as long as a yes."""
MOST = 10_000
"""Tokens, and questions about them, that are remembered."""
AT_ONCE = 8
"""Questions about callers of many registries that are asked together; the connections are for all callers."""
_RETRY = 2
_COMPLAINTS = 10.0

Ways: TypeAlias = Callable[[Action], Sequence[Action]]
Digest: TypeAlias = bytes
"""SHA-256 of a token: the token itself is not kept."""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What callers of a door are told about credentials and rights."""

    audience: Callable[[Access], str]
    """For whom a token must be made."""
    token: Callable[[Access], str]
    """The command that makes one."""
    check: Callable[[Action], str]
    """The command that tells whether one has a right."""


class Known(msgspec.Struct, frozen=True):
    """A caller whose token was good."""

    digest: Digest
    revision: int
    identity: Identity


class Authorization:
    """Answers for the registries of one process."""

    def __init__(
        self,
        reviews: Reviews,
        advice: Advice | None = None,
        *,
        accept_cluster_audience: bool = False,
        ways: Ways = lambda action: (action,),
        issuers: Callable[[], Sequence[str]] = tuple,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`advice` is that of a cluster; `accept_cluster_audience` takes tokens for the API server itself too.

        `ways` are the questions of which one yes is enough; `issuers` are the addresses of those whose tokens are
        taken, as they are now; `now` is in Unix seconds.
        """
        self.issuers = issuers
        self._reviews = reviews
        self._ways = ways
        self._advice = advice or ON_A_CLUSTER
        self._accept_cluster_audience = accept_cluster_audience
        self._now = now
        self._known: Remembered[tuple[Digest, str, int], Identity | None] = Remembered(MOST, clock)
        self._allowed: Remembered[tuple[Digest, int, Action], bool] = Remembered(MOST, clock)
        self._passed: Remembered[tuple[Digest, int, Access], str] = Remembered(MOST, clock)
        """Who had what, as long as all holds that let them: what is asked for each request."""
        self._together = asyncio.Semaphore(AT_ONCE)
        self._sparing = Sparing(_COMPLAINTS, clock)

    def authorize(self, request: Request, access: Access) -> Verdict | Awaitable[Verdict]:
        """None lets the caller in, at once where all that it takes is remembered."""
        return None if self.user_of(request, access) else self._authorized(request, access)

    def user_of(self, request: Request, access: Access) -> str:
        """Who it is, where it is known that the caller may have this; else `""`."""
        header = request.headers.get(b"authorization")
        if header is None:
            return ""
        key = (hashlib.sha256(header).digest(), self._reviews.revision, access)
        passed = self._passed.kept(key)
        return self._passes(request, key) if passed is None else passed.value

    def _passes(self, request: Request, key: tuple[Digest, int, Access]) -> str:
        """The same, put together from what is remembered of the token and of each right."""
        token, (_, revision, access) = bearer_token(request), key
        if not token:
            return ""
        digest = _digest_of(token)
        who = self._known.kept((digest, self._audience(access), revision))
        rights = [self._allowed.kept((digest, revision, each)) for each in access.actions]
        if not (who and who.value and all(right and right.value for right in rights)):
            return ""
        ends = min([who.until, *(right.until for right in rights if right)])
        self._passed.keep(key, Kept(who.value.user, ends))
        return who.value.user

    async def _authorized(self, request: Request, access: Access) -> Verdict:
        try:
            caller = await self.caller(request, access)
            for action in access.actions:
                if not await self.allows(caller, action):
                    return denied(action, self._advice)
        except ProblemError as problem:
            return problem
        return None

    async def caller(self, request: Request, access: Access) -> Known:
        """Who asks; raises ProblemError for whoever does not say so, or not credibly."""
        audience = self._advice.audience(access)
        token = bearer_token(request)
        if token is None:
            raise unauthenticated(audience, self._advice.token(access))
        if token == UNUSABLE:
            raise invalid_token(audience, self._advice.token(access))
        digest, revision = _digest_of(token), self._reviews.revision
        who = await self._recognized(token, digest, self._audience(access))
        if who is None and access.forwards and await self._recognized(token, digest, audience):
            raise not_forwardable(access.namespace)
        if who is None:
            raise invalid_token(audience, self._advice.token(access))
        return Known(digest, revision, who)

    def _audience(self, access: Access) -> str:
        """For whom a token must be made; `""` is the cluster itself, where it is sent on."""
        return "" if access.forwards else self._advice.audience(access)

    async def _recognized(self, token: str, digest: Digest, audience: str) -> Identity | None:
        """Whose token it is, None where it is not good for this audience."""
        key = (digest, audience, self._reviews.revision)
        try:
            return await self._known.answer(key, partial(self._review, token, audience))
        except ReviewFailedError as error:
            raise self._unavailable(error) from error

    async def allows(
        self, caller: Known, action: Action, *, refused_for: float = REFUSED_FOR
    ) -> bool:
        """Whether the caller may do that; raises ProblemError when nobody can say."""
        key = (caller.digest, caller.revision, action)
        ask = partial(self._ask, caller.identity, action, refused_for)
        try:
            return await self._allowed.answer(key, ask)
        except ReviewFailedError as error:
            raise self._unavailable(error) from error

    async def require(self, caller: Known, action: Action) -> None:
        """Raises NAMESPACE_ACCESS_DENIED where the caller may not do that."""
        if not await self.allows(caller, action):
            raise denied(action, self._advice)

    async def allowed(self, caller: Known, actions: Iterable[Action]) -> list[Action]:
        """Which of these the caller may do; what is not remembered is asked for, some at once."""
        wanted = list(actions)
        key = (caller.digest, caller.revision)
        said: Sequence[bool | None] = [self._allowed.recalled((*key, each)) for each in wanted]
        if None in said:
            said = await self._asked(caller, wanted)
        return [action for action, yes in zip(wanted, said, strict=True) if yes]

    async def _asked(self, caller: Known, wanted: Sequence[Action]) -> list[bool]:
        """What may be done of these; callers take turns, and after a question without an answer there is no other."""
        said = [False] * len(wanted)
        left = iter(enumerate(wanted))

        async def ask() -> None:
            for place, action in left:
                async with self._together:
                    said[place] = await self.allows(caller, action, refused_for=ALLOWED_FOR)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(wanted))):
                    group.create_task(ask())
        except* ProblemError as problems:
            raise problems.exceptions[0] from None
        return said

    async def _review(self, token: str, audience: str) -> tuple[Identity | None, float]:
        who = await self._reviews.identity(token, (audience,) if audience else ())
        if who is None and audience and self._accept_cluster_audience:
            who = await self._reviews.identity(token, ())
        if who is None:
            return None, REFUSED_FOR
        ends = min(who.ends, expiry(token))
        return who, min(KNOWN_FOR, ends - self._now())

    async def _ask(self, who: Identity, action: Action, refused_for: float) -> tuple[bool, float]:
        allowed = False
        for way in self._ways(action):
            allowed = allowed or await self._reviews.allows(who, way)
        return allowed, ALLOWED_FOR if allowed else refused_for

    def _unavailable(self, error: ReviewFailedError) -> ProblemError:
        if self._sparing.is_due():
            log.warning("callers cannot be checked: %s", error)
        return ProblemError(
            Word.AUTHORIZER_UNAVAILABLE,
            "It cannot be said now who you are and what you may read.",
            retry_after=max(1, math.ceil(error.retry_after or _RETRY)),
        )


def _digest_of(token: str) -> Digest:
    return hashlib.sha256(token.encode()).digest()


def audience_of(access: Access) -> str:
    """For whom a token must be made that reads this registry of a cluster."""
    return f"{access.name}-api.{access.namespace}.svc"


def _token_command(access: Access) -> str:
    audience = audience_of(access)
    return f"kubectl create token SERVICEACCOUNT -n {access.namespace} --audience {audience}"


def _can_i(action: Action) -> str:
    plural, _, part = action.resource.partition("/")
    name = f"/{action.name}" if action.name else ""
    below = f" --subresource {part}" if part else ""
    what = f"{plural}.{action.group}{name}{below}"
    return f"kubectl auth can-i {action.verb} {what} -n {action.namespace}"


ON_A_CLUSTER = Advice(audience=audience_of, token=_token_command, check=_can_i)


def denied(action: Action, advice: Advice) -> ProblemError:
    """The same words whether or not the registry exists."""
    return ProblemError(
        Word.NAMESPACE_ACCESS_DENIED,
        f'You may not {action.verb} {_object(action)} in the namespace "{action.namespace}".',
        field="namespace",
        value=action.namespace,
        hint=f"Ask for the right; check it: {advice.check(action)}",
    )


def _object(action: Action) -> str:
    """As a path has it: resource, name, subresource."""
    plural, _, part = action.resource.partition("/")
    return "/".join(word for word in (plural, action.name, part) if word)


class _Claims(msgspec.Struct):
    exp: float | None = None


def expiry(token: str) -> float:
    """When a token says that it ends, in Unix seconds; believed only to forget it earlier."""
    parts = token.split(".")
    if len(parts) != 3:
        return math.inf
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        ends = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Claims).exp
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return math.inf
    return math.inf if ends is None else ends
