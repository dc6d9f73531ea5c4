"""Whom a registry of a cluster lets in: the tables of the REST contract, against reviews in memory."""

from __future__ import annotations

import asyncio
import base64
import json
from itertools import pairwise
from math import inf

import msgspec
import pytest

from tests.apps.kit.memory_reviews import (
    ALICE,
    CLUSTER,
    CORP,
    GET_CORP,
    OWN,
    SYNC_CORP,
    MemoryReviews,
    settled,
)
from thv.apps.kit.authorization import (
    ALLOWED_FOR,
    KNOWN_FOR,
    MOST,
    REFUSED_FOR,
    Authorization,
    expiry,
)
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.reviews import Identity, ReviewFailedError
from thv.domain.permissions import READ, SYNC

pytestmark = pytest.mark.anyio


class Door:
    """The authorization of one registry, and time that passes when a test says so."""

    def __init__(self, *, accept_cluster_audience: bool = False) -> None:
        self.cluster = MemoryReviews()
        self.now = 1000.0
        self.authorization = Authorization(
            self.cluster,
            accept_cluster_audience=accept_cluster_audience,
            now=lambda: self.now,
            clock=lambda: self.now,
        )

    async def knock(
        self, header: str | None = "Bearer good", access: Access = CORP, **more: bytes
    ) -> ProblemError | None:
        headers = {name.replace("_", "-").encode(): value for name, value in more.items()}
        if header is not None:
            headers[b"authorization"] = header.encode()
        request = Request(method="GET", path=b"/api/v1/servers", headers=headers)
        return await settled(self.authorization.authorize(request, access))

    async def word(self, header: str | None = "Bearer good", access: Access = CORP) -> Word | None:
        problem = await self.knock(header, access)
        return problem.word if problem else None


@pytest.fixture
def door() -> Door:
    return Door()


# ---------------------------------------------------------------- who comes in


async def test_a_right_token_of_somebody_who_may_read_comes_in(door: Door) -> None:
    assert await door.knock() is None
    assert await door.knock("bearer   good") is None
    assert door.cluster.asked == [("good", OWN), (ALICE, GET_CORP)]


@pytest.mark.parametrize("header", [None, "", "  "])
async def test_without_a_token_one_is_told_that_one_is_needed(
    door: Door, header: str | None
) -> None:
    problem = await door.knock(header, cookie=b"token=good", x_remote_user=b"alice")
    assert problem is not None
    assert (problem.status, problem.word) == (401, Word.UNAUTHENTICATED)
    assert problem.headers == ((b"www-authenticate", b'Bearer realm="corp-api.team.svc"'),)
    assert not door.cluster.asked


@pytest.mark.parametrize(
    "header",
    [
        "Bearer garbage", "Bearer other-audience", "Basic Z29vZDpnb29k", "Bearer", "Bearer ", "Token good",
        "good", "Bearer good, Bearer good", "Bearer go od", "Bearer gööd", 'Bearer "good"', "Negotiate good",
    ],
)  # fmt: skip
async def test_every_bad_credential_is_refused_in_the_same_words(door: Door, header: str) -> None:
    door.cluster.tokens["other-audience", "other-api.team.svc"] = ALICE
    door.cluster.tokens["other-audience", CLUSTER] = ALICE
    problem = await door.knock(header)
    assert problem is not None
    assert (problem.status, problem.word) == (401, Word.INVALID_TOKEN)
    assert problem.headers == (
        (b"www-authenticate", b'Bearer realm="corp-api.team.svc", error="invalid_token"'),
    )
    assert problem.message == (
        'This token is not valid for the audience "corp-api.team.svc". Make one: '
        "kubectl create token SERVICEACCOUNT -n team --audience corp-api.team.svc"
    )


async def test_a_token_of_the_cluster_is_taken_only_by_setting(door: Door) -> None:
    opened = Door(accept_cluster_audience=True)
    for each in (door, opened):
        each.cluster.tokens["mine", CLUSTER] = ALICE
    assert await door.word("Bearer mine") is Word.INVALID_TOKEN
    assert await opened.word("Bearer mine") is None
    assert await opened.word("Bearer garbage") is Word.INVALID_TOKEN


@pytest.mark.parametrize("name", ["other", "missing"])
async def test_who_may_not_read_is_told_of_the_namespace_alone(door: Door, name: str) -> None:
    door.cluster.tokens["good", f"{name}-api.team.svc"] = ALICE
    problem = await door.knock(access=Access("team", name))
    assert problem is not None
    assert (problem.status, problem.word) == (403, Word.NAMESPACE_ACCESS_DENIED)
    assert (problem.field, problem.value) == ("namespace", "team")
    assert problem.message == f'You may not get mcpregistries/{name} in the namespace "team".'
    assert problem.hint.endswith(
        f"kubectl auth can-i get mcpregistries.toolhive.stacklok.io/{name} -n team"
    )


async def test_an_endpoint_may_need_more_than_reading_the_registry(door: Door) -> None:
    both = Access("team", "corp", (READ, SYNC))
    assert await door.word(access=both) is Word.NAMESPACE_ACCESS_DENIED
    door.cluster.rights.add(("alice", SYNC_CORP))
    door.now += REFUSED_FOR
    assert await door.word(access=both) is None
    door.cluster.rights.remove(("alice", GET_CORP))
    door.now += ALLOWED_FOR
    assert await door.word(access=both) is Word.NAMESPACE_ACCESS_DENIED


async def test_a_token_for_one_registry_opens_no_other(door: Door) -> None:
    door.cluster.rights.add(("alice", msgspec.structs.replace(GET_CORP, name="other")))
    assert await door.word() is None
    assert await door.word(access=Access("team", "other")) is Word.INVALID_TOKEN


# ---------------------------------------------------------------- what is remembered


async def test_a_revoked_right_is_noticed_within_ten_seconds(door: Door) -> None:
    assert await door.word() is None
    door.cluster.rights.clear()
    door.now += ALLOWED_FOR - 0.1
    assert await door.word() is None
    door.now += 0.1
    assert await door.word() is Word.NAMESPACE_ACCESS_DENIED
    assert ALLOWED_FOR < 10


async def test_a_revoked_token_is_noticed_within_ten_seconds(door: Door) -> None:
    assert await door.word() is None
    door.cluster.tokens.clear()
    door.now += KNOWN_FOR - 0.1
    assert await door.word() is None
    door.now += 0.1
    assert await door.word() is Word.INVALID_TOKEN
    assert KNOWN_FOR <= 10


async def test_a_no_is_remembered_for_a_shorter_time(door: Door) -> None:
    for _ in range(5):
        assert await door.word("Bearer new") is Word.INVALID_TOKEN
    assert door.cluster.asked == [("new", OWN)]
    door.cluster.tokens["new", OWN] = Identity(user="bob")
    door.now += REFUSED_FOR
    for _ in range(5):
        assert await door.word("Bearer new") is Word.NAMESPACE_ACCESS_DENIED
    assert len(door.cluster.asked) == 3
    door.cluster.rights.add(("bob", GET_CORP))
    door.now += REFUSED_FOR
    assert await door.word("Bearer new") is None


def a_token(**claims: object) -> str:
    parts: tuple[object, ...] = ({"alg": "RS256"}, claims, {})
    packed = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
    return ".".join(part.rstrip("=") for part in packed)


async def test_nothing_is_remembered_beyond_the_expiry_of_a_token(door: Door) -> None:
    token = a_token(exp=1003, sub="alice")
    door.cluster.tokens[token, OWN] = ALICE
    assert await door.word(f"Bearer {token}") is None
    door.cluster.tokens.clear()
    door.now = 1002.9
    assert await door.word(f"Bearer {token}") is None
    door.now = 1003.0
    assert await door.word(f"Bearer {token}") is Word.INVALID_TOKEN


async def test_the_expiry_is_not_believed_otherwise(door: Door) -> None:
    """Neither does a far one keep a refused token, nor does a near one refuse a token that is good."""
    late, early = a_token(exp=9e9), a_token(exp=5)
    door.cluster.tokens[early, OWN] = ALICE
    assert await door.word(f"Bearer {late}") is Word.INVALID_TOKEN
    assert await door.word(f"Bearer {early}") is None
    assert await door.word(f"Bearer {early}") is None
    assert [asked for asked in door.cluster.asked if asked == (early, OWN)] == [(early, OWN)] * 2


@pytest.mark.parametrize(
    ("token", "ends"),
    [
        (a_token(exp=17), 17.0), (a_token(exp=17.5), 17.5), (a_token(), inf), (a_token(exp="soon"), inf),
        (a_token(exp=None), inf), ("opaque", inf), ("a.b.c", inf), ("..", inf), ("a.é.c", inf),
        ("a." + base64.urlsafe_b64encode(b"[1]").decode() + ".c", inf),
    ],
)  # fmt: skip
def test_expiry_of_a_token(token: str, ends: float) -> None:
    assert expiry(token) == ends


async def test_what_is_remembered_is_bounded(door: Door) -> None:
    assert await door.word() is None
    for number in range(MOST + 10):
        await door.word(f"Bearer garbage{number}")
    known = door.authorization._known._kept
    assert len(known) == MOST
    assert not any("garbage" in str(key) for key in known)


async def test_many_requests_at_once_are_one_review_of_each_kind(door: Door) -> None:
    assert await asyncio.gather(*(door.word() for _ in range(100))) == [None] * 100
    assert len(door.cluster.asked) == 2


@pytest.mark.requirement("API-05", "OPS-05")
async def test_under_load_no_token_is_reviewed_twice_in_ten_seconds(door: Door) -> None:
    """Half a minute of 20 callers who ask five times a second each, several at once."""
    for number in range(20):
        door.cluster.tokens[f"token-{number}", OWN] = Identity(user="alice")
    reviewed: dict[str, list[float]] = {}
    for step in range(150):
        callers = [f"Bearer token-{number}" for number in range(20) for _ in range(3)]
        assert set(await asyncio.gather(*(door.word(each) for each in callers))) == {None}
        for asked in door.cluster.asked:
            if isinstance(asked, tuple) and asked[1] == OWN:
                reviewed.setdefault(asked[0], []).append(door.now)
        door.cluster.asked.clear()
        door.now = 1000.0 + (step + 1) / 5
    assert len(reviewed) == 20
    for moments in reviewed.values():
        assert all(later - earlier >= 10 for earlier, later in pairwise(moments)), moments
        assert len(moments) == 3


async def test_whoever_is_remembered_is_let_in_without_waiting(door: Door) -> None:
    request = Request(method="GET", path=b"/", headers={b"authorization": b"Bearer good"})
    first = door.authorization.authorize(request, CORP)
    assert first is not None
    assert await settled(first) is None
    assert door.authorization.authorize(request, CORP) is None
    door.now += ALLOWED_FOR
    assert await settled(door.authorization.authorize(request, CORP)) is None


# ---------------------------------------------------------------- nobody answers


async def test_without_an_answer_nobody_comes_in(door: Door) -> None:
    door.cluster.failure = ReviewFailedError("TokenReview: no answer within 2 s")
    problem = await door.knock()
    assert problem is not None
    assert (problem.status, problem.word) == (503, Word.AUTHORIZER_UNAVAILABLE)
    assert problem.retry_after > 0
    assert (await door.word(None), await door.word("Basic x")) == (
        Word.UNAUTHENTICATED,
        Word.INVALID_TOKEN,
    )
    door.cluster.failure = None
    assert await door.word() is None


async def test_who_came_in_lately_still_does_and_then_waits(door: Door) -> None:
    assert await door.word() is None
    door.cluster.failure = ReviewFailedError("refused", retry_after=4.2)
    door.now += ALLOWED_FOR - 0.1
    assert await door.word() is None
    door.now += 0.1
    problem = await door.knock()
    assert problem is not None
    assert (problem.word, problem.retry_after) == (Word.AUTHORIZER_UNAVAILABLE, 5)


async def test_the_log_does_not_repeat_itself(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    door.cluster.failure = ReviewFailedError("TokenReview: forbidden")
    for _ in range(50):
        await door.word()
    assert [record.getMessage() for record in caplog.records] == [
        "callers cannot be checked: TokenReview: forbidden"
    ]


# ---------------------------------------------------------------- tokens that are sent on


async def test_what_is_done_with_the_callers_rights_takes_tokens_of_the_cluster_alone() -> None:
    door = Door()
    door.cluster.tokens["theirs", CLUSTER] = ALICE
    forwarded = msgspec.structs.replace(CORP, forwards=True)
    assert await door.word("Bearer theirs", forwarded) is None
    assert await door.word("Bearer theirs") is Word.INVALID_TOKEN
    refused = await door.knock("Bearer good", forwarded)
    assert refused is not None
    assert refused.word is Word.TOKEN_NOT_FORWARDABLE
    assert "kubectl create token" in refused.hint
    assert await door.word("Bearer bad", forwarded) is Word.INVALID_TOKEN


async def test_who_came_in_with_a_token_for_us_alone_has_none_to_send_on() -> None:
    door = Door()
    forwarded = msgspec.structs.replace(CORP, forwards=True)
    assert await door.word("Bearer good") is None
    assert await door.word("Bearer good", forwarded) is Word.TOKEN_NOT_FORWARDABLE
    assert await door.word("Bearer good") is None


async def test_a_right_that_is_missing_is_named() -> None:
    door = Door()
    request = Request(method="GET", path=b"/", headers={b"authorization": b"Bearer good"})
    caller = await door.authorization.caller(request, CORP)
    await door.authorization.require(caller, GET_CORP)
    with pytest.raises(ProblemError, match="create mcpregistries/corp/sync"):
        await door.authorization.require(caller, SYNC_CORP)
