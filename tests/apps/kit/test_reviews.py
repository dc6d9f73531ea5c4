"""Both questions to an API server: how they are asked, and that no answer is taken for a yes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.clients.kube.server import Request, Script, Server, Wire, serving, status
from thv.apps.kit.reviews import PATIENCE, Identity, KubeReviews, ReviewFailedError
from thv.clients.kube.config import Access, connect
from thv.domain.canonical import JsonObject
from thv.domain.permissions import READ, SYNC

pytestmark = [pytest.mark.anyio, pytest.mark.flows]

AUDIENCE = "corp-api.team.svc"
ALICE = Identity(user="alice", uid="u-1", groups=("devs",), extra={"example.com/k": ["v"]})
USER = {"username": "alice", "uid": "u-1", "groups": ["devs"], "extra": {"example.com/k": ["v"]}}
GET_CORP = READ.on("team", "corp")


@asynccontextmanager
async def against(script: Script) -> AsyncIterator[tuple[KubeReviews, Server]]:
    async with serving(script) as server:
        client = connect(Access(cluster={"server": server.url}, user={}), {})
        try:
            yield KubeReviews(client), server
        finally:
            await client.close()


def answering(**told: object) -> Script:
    """A server whose reviews have this status."""

    async def script(request: Request, wire: Wire) -> None:
        await wire.say(201, {**request.json, "status": told})

    return script


async def test_a_token_is_reviewed_for_one_audience() -> None:
    right = answering(authenticated=True, audiences=[AUDIENCE], user=USER)
    async with against(right) as (reviews, server):
        assert await reviews.identity("secret", (AUDIENCE,)) == ALICE
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/apis/authentication.k8s.io/v1/tokenreviews")
    assert asked.json == {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": "secret", "audiences": [AUDIENCE]},
    }


async def test_a_right_is_reviewed_for_all_that_is_known_of_somebody() -> None:
    async with against(answering(allowed=True)) as (reviews, server):
        assert await reviews.allows(ALICE, GET_CORP)
    (asked,) = server.asked
    assert asked.path == "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert asked.json["spec"] == {
        "user": "alice",
        "uid": "u-1",
        "groups": ["devs"],
        "extra": {"example.com/k": ["v"]},
        "resourceAttributes": {
            "verb": "get",
            "group": "toolhive.stacklok.io",
            "resource": "mcpregistries",
            "namespace": "team",
            "name": "corp",
        },
    }


async def test_a_right_on_a_part_of_a_registry_is_asked_for_as_that() -> None:
    async with against(answering(allowed=True)) as (reviews, server):
        assert await reviews.allows(ALICE, SYNC.on("team", "corp"))
    (asked,) = server.asked
    assert asked.json["spec"]["resourceAttributes"] == {
        "verb": "create",
        "group": "toolhive.stacklok.io",
        "resource": "mcpregistries",
        "subresource": "sync",
        "namespace": "team",
        "name": "corp",
    }


@pytest.mark.parametrize(
    "told",
    [
        {}, {"authenticated": False, "error": "invalid bearer token"}, {"authenticated": True, "user": USER},
        {"authenticated": True, "user": USER, "audiences": ["other-api.team.svc"]},
        {"authenticated": True, "user": USER, "audiences": None}, {"authenticated": "true", "audiences": [AUDIENCE]},
        {"authenticated": True, "audiences": [AUDIENCE]}, {"authenticated": True, "audiences": [AUDIENCE], "user": {}},
    ],
)  # fmt: skip
async def test_a_token_is_good_only_when_everything_says_so(told: JsonObject) -> None:
    async with against(answering(**told)) as (reviews, _):
        assert await reviews.identity("secret", (AUDIENCE,)) is None


@pytest.mark.parametrize(
    "told",
    [{}, {"allowed": False}, {"allowed": "true"}, {"allowed": True, "denied": True}, {"evaluationError": "no role"}],
)  # fmt: skip
async def test_a_right_is_there_only_when_everything_says_so(told: JsonObject) -> None:
    async with against(answering(**told)) as (reviews, _):
        assert not await reviews.allows(ALICE, GET_CORP)


async def test_somebody_of_whom_little_is_known_is_somebody() -> None:
    user = {"username": "bob", "groups": None, "extra": None}
    async with against(answering(authenticated=True, audiences=[AUDIENCE], user=user)) as (
        reviews,
        _,
    ):
        assert await reviews.identity("secret", (AUDIENCE,)) == Identity(user="bob")


async def fails(_: Request, wire: Wire) -> None:
    await wire.say(500, status(500, "InternalError", "etcd is away"))


async def forbids(_: Request, wire: Wire) -> None:
    await wire.say(403, status(403, "Forbidden", "cannot create tokenreviews"))


async def mumbles(_: Request, wire: Wire) -> None:
    await wire.say(200, b"<html>welcome</html>")


async def stalls(_: Request, wire: Wire) -> None:
    await wire.stall()


async def resets(_: Request, wire: Wire) -> None:
    wire.reset()


@pytest.mark.parametrize("script", [fails, forbids, mumbles, stalls, resets])
async def test_no_answer_is_no_answer_and_comes_in_time(script: Script) -> None:
    async with against(script) as (reviews, _):
        began = asyncio.get_running_loop().time()
        for asking in (reviews.identity("secret", (AUDIENCE,)), reviews.allows(ALICE, GET_CORP)):
            with pytest.raises(ReviewFailedError) as failed:
                await asking
            assert "secret" not in str(failed.value)
        assert asyncio.get_running_loop().time() - began < 3 * PATIENCE


async def test_the_wait_that_a_busy_server_asks_for_is_handed_on() -> None:
    async def busy(_: Request, wire: Wire) -> None:
        await wire.say(429, status(429, "TooManyRequests"), {"Retry-After": "17"})

    async with against(busy) as (reviews, _):
        with pytest.raises(ReviewFailedError) as failed:
            await reviews.allows(ALICE, GET_CORP)
    assert failed.value.retry_after == 17


async def test_a_connection_that_was_closed_meanwhile_costs_nothing() -> None:
    allowing, count = answering(allowed=True), 0

    async def once(request: Request, wire: Wire) -> None:
        nonlocal count
        count += 1
        if count == 1:
            wire.reset()
        else:
            await allowing(request, wire)

    async with against(once) as (reviews, _):
        assert await reviews.allows(ALICE, GET_CORP)
