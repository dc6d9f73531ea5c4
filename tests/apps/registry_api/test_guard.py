"""Who stands before a registry: nobody, where it is open to everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.kit.memory_reviews import ALICE, CORP, MemoryReviews, settled
from tests.apps.registry_api.places import Clock, Place
from tests.builders import registry
from thv.apps.kit.authorization import AT_ONCE, Advice, Authorization
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.reviews import Identity, ReviewFailedError
from thv.apps.registry_api.guard import Guard
from thv.apps.registry_api.served import Served
from thv.domain.access import Action
from thv.domain.permissions import LIST, READ, SYNC, ways
from thv.stores.models.cache import Cache
from thv.stores.models.pool import Pool

pytestmark = pytest.mark.anyio
MORE = Access("team", "corp", (READ, SYNC))


async def word(
    served: Served | None, header: str = "", access: Access = CORP, *, told: bool = True
) -> Word | None:
    """What a caller is told, None who comes in."""
    guard = Guard(lambda *_: served, Authorization(MemoryReviews()), lambda: told)
    headers = {b"authorization": header.encode()} if header else {}
    request = Request(method="GET", path=b"/api/v1/servers", headers=headers)
    problem = await settled(guard.authorize(request, access))
    return problem.word if problem else None


async def test_an_open_registry_lets_everybody_in_and_looks_at_no_token(tmp_path: Path) -> None:
    served = Place(tmp_path, api={"anonymousRead": True}).served
    for header in ("", "Bearer good", "Bearer garbage", "Basic x"):
        assert await word(served, header) is None


async def test_an_open_registry_is_open_for_nothing_but_reading_it(tmp_path: Path) -> None:
    served = Place(tmp_path, api={"anonymousRead": True}).served
    assert await word(served, access=MORE) is Word.UNAUTHENTICATED
    assert await word(served, "Bearer garbage", access=MORE) is Word.INVALID_TOKEN
    assert await word(served, "Bearer good", access=MORE) is Word.NAMESPACE_ACCESS_DENIED


@pytest.mark.parametrize("exists", [True, False])
async def test_whether_a_registry_exists_is_told_to_nobody_who_may_not_read_it(
    tmp_path: Path, exists: bool
) -> None:
    served = Place(tmp_path).served if exists else None
    assert await word(served) is Word.UNAUTHENTICATED
    assert await word(served, "Bearer garbage") is Word.INVALID_TOKEN
    assert await word(served, "Bearer good") is None


async def test_before_anything_is_known_everybody_is_told_to_wait() -> None:
    for header in ("", "Bearer good", "Bearer garbage"):
        assert await word(None, header, told=False) is Word.SNAPSHOT_UNAVAILABLE


# ---------------------------------------------------------------- of many registries

CATALOG = Advice(audience=lambda _: "catalog", token=lambda _: "", check=lambda _: "")


class Counting(MemoryReviews):
    """Alice has these rights; how many questions there were, and how many at once."""

    def __init__(self, *rights: Action) -> None:
        super().__init__()
        self.tokens = {("good", "catalog"): ALICE}
        self.rights = {("alice", right) for right in rights}
        self.questions = self.most = self._now = 0

    async def allows(self, who: Identity, action: Action) -> bool:
        self.questions, self._now = self.questions + 1, self._now + 1
        self.most = max(self.most, self._now)
        try:
            return await super().allows(who, action)
        finally:
            self._now -= 1


def team(number: int) -> str:
    return f"team-{number}"


async def seen(reviews: Counting, namespaces: int, path: Path) -> int:
    """How many registries she is told of, of one in each namespace."""
    pool, clock = Pool(Cache(0)), Clock()
    served = [Served(registry("corp", team(each)), pool, path, clock) for each in range(namespaces)]
    authorization = Authorization(reviews, CATALOG, ways=ways)
    guard = Guard(lambda *_: None, authorization, lambda: True)
    header = {b"authorization": b"Bearer good"}
    request = Request(method="GET", path=b"/api/v1/servers", headers=header)
    return len(await guard.visible(request, served))


def by_the_other_group(action: Action) -> Action:
    return ways(action)[1]


@pytest.mark.parametrize(
    ("rights", "namespaces", "told", "questions"),
    [
        ([LIST.on("")], 120, 120, 1),
        ([by_the_other_group(LIST.on(""))], 120, 120, 2),
        ([LIST.on(team(each)) for each in range(120)], 120, 120, 2 + 120),
        ([LIST.on(team(7))], 120, 1, 2 + 1 + 2 * 119),
        ([LIST.on(team(0))], 1, 1, 1),
    ],
    ids=["all", "all, by ToolHive's group", "each", "one of many", "the only one"],
)
async def test_what_a_new_caller_may_see_is_asked_for_with_few_questions(
    tmp_path: Path, rights: list[Action], namespaces: int, told: int, questions: int
) -> None:
    reviews = Counting(*rights)
    assert await seen(reviews, namespaces, tmp_path) == told
    assert reviews.questions == questions


async def test_of_a_thousand_namespaces_some_are_asked_about_at_once(tmp_path: Path) -> None:
    reviews = Counting()
    assert await seen(reviews, 1000, tmp_path) == 0
    assert reviews.most == AT_ONCE


async def test_when_there_is_no_answer_nobody_is_asked_for_the_rest() -> None:
    reviews = Counting()
    authorization = Authorization(reviews, CATALOG)
    header = {b"authorization": b"Bearer good"}
    request = Request(method="GET", path=b"/api/v1/servers", headers=header)
    caller = await authorization.caller(request, Access("", ""))
    reviews.failure = ReviewFailedError("no answer")
    with pytest.raises(ProblemError):
        await authorization.allowed(caller, [LIST.on(team(each)) for each in range(100)])
    assert reviews.questions == AT_ONCE
