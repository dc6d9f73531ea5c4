"""Who may read a registry of a cluster: those whom its API server lets `get` it.

In the flow: asked by the dispatcher before an endpoint answers. A token must be made for this very API, so that one
that was stolen here opens nothing else. What cannot be checked is refused; what was checked holds for some seconds.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import msgspec

from thv.apps.kit.http.bearer import UNUSABLE, bearer_token, invalid_token, unauthenticated
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.endpoints import Right
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.remembered import Remembered
from thv.apps.kit.reviews import Identity, Question, ReviewFailedError, Reviews
from thv.apps.kit.sparing import Sparing
from thv.domain.resources import MCP_REGISTRY

log = logging.getLogger(__name__)

ALLOWED_FOR = 8.0
"""Seconds that a yes holds: with the seconds that an API server needs to learn of a change, less than ten."""
REFUSED_FOR = 2.0
"""Seconds that a no holds."""
MOST = 10_000
"""Tokens, and questions about them, that are remembered."""
_RETRY = 2
_COMPLAINTS = 10.0

Digest: TypeAlias = bytes
"""SHA-256 of a token: the token itself is not kept."""


class Authorization:
    """Answers for the registries of one process."""

    def __init__(
        self,
        reviews: Reviews,
        *,
        accept_cluster_audience: bool = False,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`accept_cluster_audience` takes tokens for the API server itself too; `now` is in Unix seconds."""
        self._reviews = reviews
        self._accept_cluster_audience = accept_cluster_audience
        self._now = now
        self._known: Remembered[tuple[Digest, str], Identity | None] = Remembered(MOST, clock)
        self._allowed: Remembered[tuple[Digest, Question], bool] = Remembered(MOST, clock)
        self._sparing = Sparing(_COMPLAINTS, clock)

    async def authorize(self, request: Request, access: Access) -> ProblemError | None:
        """None lets the caller in."""
        audience = audience_of(access.namespace, access.name)
        token = bearer_token(request)
        if token is None:
            return unauthenticated(audience, token_command(access))
        if token == UNUSABLE:
            return invalid_token(audience, token_command(access))
        try:
            return await self._decided(token, access, audience)
        except ReviewFailedError as error:
            return self._unavailable(error)

    async def _decided(self, token: str, access: Access, audience: str) -> ProblemError | None:
        digest = hashlib.sha256(token.encode()).digest()
        review = partial(self._review, token, audience)
        who = await self._known.answer((digest, audience), review)
        if who is None:
            return invalid_token(audience, token_command(access))
        for question in questions(access):
            ask = partial(self._ask, who, question)
            if not await self._allowed.answer((digest, question), ask):
                return denied(access, question)
        return None

    async def _review(self, token: str, audience: str) -> tuple[Identity | None, float]:
        who = await self._reviews.identity(token, (audience,))
        if who is None and self._accept_cluster_audience:
            who = await self._reviews.identity(token, ())
        if who is None:
            return None, REFUSED_FOR
        ends = expiry(token)
        return who, ALLOWED_FOR if ends is None else min(ALLOWED_FOR, ends - self._now())

    async def _ask(self, who: Identity, question: Question) -> tuple[bool, float]:
        allowed = await self._reviews.allows(who, question)
        return allowed, ALLOWED_FOR if allowed else REFUSED_FOR

    def _unavailable(self, error: ReviewFailedError) -> ProblemError:
        if self._sparing.is_due():
            log.warning("callers cannot be checked: %s", error)
        return ProblemError(
            Word.AUTHORIZER_UNAVAILABLE,
            "The cluster cannot say now who you are and what you may read.",
            retry_after=max(1, math.ceil(error.retry_after or _RETRY)),
        )


def audience_of(namespace: str, name: str) -> str:
    """For whom a token must be made that reads this registry."""
    return f"{name}-api.{namespace}.svc"


def token_command(access: Access) -> str:
    """Makes a token that this registry takes."""
    audience = audience_of(access.namespace, access.name)
    return f"kubectl create token SERVICEACCOUNT -n {access.namespace} --audience {audience}"


def questions(access: Access) -> Sequence[Question]:
    """What a caller must be allowed: to get the registry, and what the endpoint wants besides."""
    reading = _question(Right("get", MCP_REGISTRY.plural), access, access.name)
    return (reading, *(_question(right, access) for right in access.also))


def _question(right: Right, access: Access, name: str = "") -> Question:
    return Question(
        verb=right.verb,
        group=MCP_REGISTRY.group,
        resource=right.resource,
        namespace=access.namespace,
        name=name,
    )


def denied(access: Access, question: Question) -> ProblemError:
    """The same words whether or not the registry exists."""
    what = f"{question.resource}/{question.name}" if question.name else question.resource
    return ProblemError(
        Word.NAMESPACE_ACCESS_DENIED,
        f'You may not {question.verb} {what} in the namespace "{access.namespace}".',
        field="namespace",
        value=access.namespace,
        hint=f"Ask for the right; check it: kubectl auth can-i {question.verb} "
        f"{what.replace('/', f'.{question.group}/', 1)} -n {access.namespace}",
    )


class _Claims(msgspec.Struct):
    exp: float | None = None


def expiry(token: str) -> float | None:
    """When a token says that it ends, in Unix seconds; believed only to forget it earlier."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Claims).exp
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
