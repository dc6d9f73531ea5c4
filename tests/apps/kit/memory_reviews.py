"""The reviews of a cluster in memory: whose a token is, for which audience, and who may do what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from thv.apps.kit.http.dispatch import Access, Verdict
from thv.apps.kit.http.problems import ProblemError
from thv.apps.kit.reviews import Identity, ReviewFailedError
from thv.domain.access import Action
from thv.domain.permissions import READ, SYNC

OWN = "corp-api.team.svc"
CLUSTER = "https://kubernetes.default.svc"
CORP = Access("team", "corp")
GET_CORP = READ.on("team", "corp")
SYNC_CORP = SYNC.on("team", "corp")
ALICE = Identity(
    user="alice", uid="u-1", groups=("devs", "system:authenticated"), extra={"k": ["v"]}
)


async def settled(verdict: Verdict | Awaitable[Verdict]) -> Verdict:
    """The verdict, whether or not somebody has to be asked first."""
    return verdict if verdict is None or isinstance(verdict, ProblemError) else await verdict


class MemoryReviews:
    """Alice may get the registry corp."""

    revision = 0

    def __init__(self) -> None:
        self.tokens: dict[tuple[str, str], Identity] = {("good", OWN): ALICE}
        self.rights: set[tuple[str, Action]] = {("alice", GET_CORP)}
        self.failure: ReviewFailedError | None = None
        self.asked: list[object] = []

    async def identity(self, token: str, audiences: Sequence[str]) -> Identity | None:
        self.asked.append((token, *audiences))
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        found = (self.tokens.get((token, audience)) for audience in audiences or (CLUSTER,))
        return next((identity for identity in found if identity), None)

    async def allows(self, who: Identity, action: Action) -> bool:
        self.asked.append((who, action))
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return (who.user, action) in self.rights
