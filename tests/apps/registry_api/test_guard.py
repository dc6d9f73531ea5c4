"""Who stands before a registry: nobody, where it is open to everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.kit.memory_reviews import CORP, MemoryReviews, settled
from tests.apps.registry_api.places import Place
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import Word
from thv.apps.registry_api.guard import Guard
from thv.apps.registry_api.served import Served
from thv.domain.permissions import READ, SYNC

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
