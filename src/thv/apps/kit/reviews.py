"""Who a token belongs to, and what that one may do, as the API server of a cluster says.

In the flow: under the authorization of every door; where there is no cluster, `tokens` says the same. Nothing is remembered here, and nothing is decided
but that no answer is no answer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from thv.clients.kube.client import KubeClient
from thv.clients.kube.errors import KubeConfigError, KubeError, KubeUnreachableError
from thv.domain.access import Action, Grant
from thv.domain.canonical import JsonObject

_TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 # a path
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
PATIENCE = 2.0
"""Seconds that a review may take."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, as whoever checked the credential knows them."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, list[str]] = {}
    method: str = "kubernetes"
    """Who says so."""
    grants: tuple[Grant, ...] = ()
    """What is known of their rights where no cluster judges them."""
    ends: float = math.inf
    """When that is true no longer, in Unix seconds."""


class ReviewFailedError(Exception):
    """There is no answer; whoever asked must not go on."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Reviews(Protocol):
    """Answers both questions; raises ReviewFailedError when it cannot."""

    @property
    def revision(self) -> int:
        """Another one when answers of before count no longer."""
        ...

    async def identity(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """Whose token this is, None when it is not good for one of the audiences; none asks for the cluster's own."""
        ...

    async def allows(self, who: Identity, action: Action) -> bool:
        """Whether this one may do that."""
        ...


class KubeReviews:
    """Asks an API server."""

    revision = 0

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def identity(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """A `TokenReview`."""
        spec: JsonObject = {"token": token}
        if audiences:
            spec["audiences"] = list(audiences)
        status = await self._asked(_TOKEN_REVIEWS, "authentication.k8s.io", "TokenReview", spec)
        if status.get("authenticated") is not True:
            return None
        # An authenticator that knows no audiences names none.
        if audiences and not set(audiences) & set(status.get("audiences") or ()):
            return None
        return _identity(status.get("user") or {})

    async def allows(self, who: Identity, action: Action) -> bool:
        """A `SubjectAccessReview`."""
        spec = {
            "user": who.user,
            "uid": who.uid,
            "groups": list(who.groups),
            "extra": dict(who.extra),
            "resourceAttributes": _attributes(action),
        }
        group = "authorization.k8s.io"
        status = await self._asked(_ACCESS_REVIEWS, group, "SubjectAccessReview", spec)
        return status.get("allowed") is True and status.get("denied") is not True

    async def _asked(self, path: str, group: str, kind: str, spec: Any) -> JsonObject:
        body = {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._sent(path, body)
        except TimeoutError as error:
            raise ReviewFailedError(f"{kind}: no answer within {PATIENCE:.0f} s") from error
        except (KubeUnreachableError, KubeConfigError) as error:
            raise ReviewFailedError(f"{kind}: {error}") from error
        except KubeError as error:
            raise ReviewFailedError(f"{kind}: {error}", error.retry_after) from error
        status = answer.get("status")
        return status if isinstance(status, dict) else {}

    async def _sent(self, path: str, body: JsonObject) -> JsonObject:
        try:
            return await self._client.request("POST", path, body=body, timeout=PATIENCE)
        except KubeUnreachableError as error:
            if not error.broken:
                raise
        # A connection that was kept open was closed meanwhile; asking twice changes nothing.
        return await self._client.request("POST", path, body=body, timeout=PATIENCE)


def _attributes(action: Action) -> JsonObject:
    resource, _, part = action.resource.partition("/")
    asked = {
        "verb": action.verb,
        "group": action.group,
        "resource": resource,
        "subresource": part,
        "namespace": action.namespace,
        "name": action.name,
    }
    return {key: value for key, value in asked.items() if value}


def _identity(user: JsonObject) -> Identity | None:
    if not user.get("username"):
        return None
    return Identity(
        user=user["username"],
        uid=user.get("uid") or "",
        groups=tuple(user.get("groups") or ()),
        extra=user.get("extra") or {},
    )
