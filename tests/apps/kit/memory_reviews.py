"""The reviews of a cluster in memory: whose a token is, for which audience, and who may do what."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.reviews import Identity, Question, ReviewFailedError

OWN = "corp-api.team.svc"
CLUSTER = "https://kubernetes.default.svc"
CORP = Access("team", "corp")
GET_CORP = Question(
    verb="get",
    group="toolhive.stacklok.io",
    resource="mcpregistries",
    namespace="team",
    name="corp",
)
LIST_SERVERS = Question(
    verb="list", group="toolhive.stacklok.io", resource="mcpservers", namespace="team"
)
ALICE = Identity(
    user="alice", uid="u-1", groups=("devs", "system:authenticated"), extra={"k": ["v"]}
)


class MemoryReviews:
    """Alice may get the registry corp."""

    def __init__(self) -> None:
        self.tokens: dict[tuple[str, str], Identity] = {("good", OWN): ALICE}
        self.rights: set[tuple[str, Question]] = {("alice", GET_CORP)}
        self.failure: ReviewFailedError | None = None
        self.asked: list[object] = []

    async def identity(self, token: str, audiences: Sequence[str]) -> Identity | None:
        self.asked.append((token, *audiences))
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        found = (self.tokens.get((token, audience)) for audience in audiences or (CLUSTER,))
        return next((identity for identity in found if identity), None)

    async def allows(self, who: Identity, question: Question) -> bool:
        self.asked.append((who, question))
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return (who.user, question) in self.rights
