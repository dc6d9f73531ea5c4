"""Whose a token of an access file is, and what happens while the file changes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.apps.kit.access_files import ADMIN, USER, Written, a_token
from tests.apps.kit.memory_reviews import settled
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import Word
from thv.apps.kit.reviews import Identity, ReviewFailedError
from thv.apps.kit.tokens import TokenReviews
from thv.domain.errors import ThvError
from thv.domain.permissions import READ, SYNC
from thv.formats.tokens import Binding

pytestmark = pytest.mark.anyio


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(
        tmp_path / "tokens.yaml",
        a_token("of-alice", "alice", f"{USER}@team", groups=("devs",)),
        a_token("of-bob", "bob", ADMIN),
        a_token("of-carol", "carol"),
        bindings=(Binding(group="devs", role="toolhive-registry-deployer", namespace="lab"),),
    )


async def who(written: Written, token: str) -> Identity:
    found = await written.reviews.identity(token, ())
    assert found is not None
    return found


async def test_a_token_tells_who_somebody_is(written: Written) -> None:
    alice = await who(written, "of-alice")
    assert (alice.user, alice.groups, alice.method) == ("alice", ("devs",), "token-file")
    assert await written.reviews.identity("of-mallory", ()) is None
    assert await written.reviews.identity(written.file.tokens[0].sha256, ()) is None


async def test_roles_and_bindings_tell_what_somebody_may(written: Written) -> None:
    alice, bob, carol = [await who(written, f"of-{name}") for name in ("alice", "bob", "carol")]
    allows = written.reviews.allows
    assert await allows(alice, READ.on("team", "corp"))
    assert not await allows(alice, SYNC.on("team", "corp"))
    assert await allows(alice, SYNC.on("lab", "corp"))
    assert not await allows(alice, READ.on("other", "corp"))
    assert await allows(bob, SYNC.on("other", "corp"))
    assert not await allows(carol, READ.on("team", "corp"))


# ---------------------------------------------------------------- the file changes


class Door:
    """An authorization over the file."""

    def __init__(self, written: Written) -> None:
        self._written = written
        self._authorization = Authorization(
            written.reviews, now=lambda: written.now, clock=lambda: written.now
        )

    async def word(self, token: str = "of-alice") -> Word | None:
        headers = {b"authorization": f"Bearer {token}".encode()}
        request = Request(method="GET", path=b"/", headers=headers)
        problem = await settled(self._authorization.authorize(request, Access("team", "corp")))
        return problem.word if problem else None


async def test_a_changed_file_counts_at_the_next_look(written: Written) -> None:
    door = Door(written)
    assert (await door.word(), await door.word("new")) == (None, Word.INVALID_TOKEN)
    changed = written.without("of-alice")
    written.write(changed)
    written.put(written.path.read_bytes().replace(b"tokens:\n", b"tokens:\n" + NEW))
    written.reviews.look()
    assert (await door.word(), await door.word("new")) == (Word.INVALID_TOKEN, None)


NEW = f"- sha256: {a_token('new', '').sha256}\n  user: dave\n  roles:\n  - role: {USER}\n".encode()


async def test_a_right_that_is_taken_away_counts_at_the_next_look(written: Written) -> None:
    door = Door(written)
    assert await door.word() is None
    written.put(written.path.read_bytes().replace(f"role: {USER}".encode(), f"role: {ADMIN}".encode()).replace(b"namespace: team", b"namespace: tea"))  # fmt: skip
    written.reviews.look()
    assert await door.word() is Word.NAMESPACE_ACCESS_DENIED


@pytest.mark.parametrize("what", ["gone", "no YAML", "open to others", "a folder"])
async def test_while_the_file_cannot_be_used_nobody_comes_in(written: Written, what: str) -> None:
    door = Door(written)
    good = written.path.read_bytes()
    assert await door.word() is None
    match what:
        case "gone":
            written.path.unlink()
        case "no YAML":
            written.put(b"tokens: [")
        case "open to others":
            os.chmod(written.path, 0o640)
        case _:
            written.path.unlink()
            written.path.mkdir()
    written.reviews.look()
    assert await door.word() is Word.AUTHORIZER_UNAVAILABLE
    assert await door.word("of-mallory") is Word.AUTHORIZER_UNAVAILABLE
    if what == "a folder":
        written.path.rmdir()
    written.put(good)
    written.reviews.look()
    assert (await door.word(), await door.word("of-mallory")) == (None, Word.INVALID_TOKEN)


async def test_why_nobody_comes_in_is_told_to_whoever_asks_for_an_identity(
    written: Written,
) -> None:
    os.chmod(written.path, 0o644)
    written.reviews.look()
    assert written.reviews.revision
    with pytest.raises(ReviewFailedError, match="its mode is 0644; others may use it"):
        await written.reviews.identity("of-alice", ())


async def test_a_token_ends_to_the_second(tmp_path: Path) -> None:
    ends = datetime(2026, 9, 21, 14, 13, 25, tzinfo=UTC)  # five seconds after the clock's start
    token = a_token("of-alice", "alice", USER, expires=ends)
    written = Written(tmp_path / "tokens.yaml", token)
    assert ends.timestamp() == written.now + 5
    door = Door(written)
    assert await door.word() is None
    written.now += 4.9
    assert await door.word() is None
    written.now += 0.1
    assert await door.word() is Word.INVALID_TOKEN


# ---------------------------------------------------------------- at the start


@pytest.mark.parametrize(
    ("mode", "content", "words"),
    [
        (0o644, "", "its mode is 0644; others may use it"),
        (0o660, "", "its mode is 0660; others may use it"),
        (0o600, "tokens: {}", "the access file is unusable"),
        (None, "", "there is none"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, mode: int | None, content: str, words: str
) -> None:
    path = tmp_path / "tokens.yaml"
    if mode is not None:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(ThvError) as refused:
        TokenReviews(path)
    assert words in refused.value.message
    assert refused.value.hint


def test_a_file_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text("")
    path.chmod(0o600)
    owner = path.stat().st_uid
    os.chown(path, owner or 12345, -1)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)  # one cannot become somebody else
    with pytest.raises(ThvError, match="it belongs to the user"):
        TokenReviews(path)
