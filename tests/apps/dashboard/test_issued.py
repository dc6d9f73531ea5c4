"""Links that were given for a token."""

from __future__ import annotations

from thv.apps.dashboard import issued
from thv.apps.dashboard.issued import SECONDS, Issued


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_code_gives_its_token_once() -> None:
    links = Issued()
    code = links.make("token")
    assert links.take("another") == ""
    assert [links.take(code), links.take(code)] == ["token", ""]


def test_a_code_that_is_too_old_gives_nothing() -> None:
    clock = Clock()
    links = Issued(clock)
    code = links.make("token")
    clock.now += SECONDS
    assert links.take(code) == ""


def test_the_oldest_make_room() -> None:
    links = Issued()
    first = links.make("first")
    codes = [links.make("token") for _ in range(issued.MOST)]
    assert links.take(first) == ""
    assert all(links.take(code) for code in codes)
