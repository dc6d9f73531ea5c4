"""What is told of requests and of whom a door lets in."""

from __future__ import annotations

from inspect import isawaitable
from pathlib import Path

import pytest

from tests.apps.kit.memory_reviews import MemoryReviews
from tests.apps.registry_api.asking import Client
from tests.apps.registry_api.places import Place
from tests.metrics.reading import samples, told, value
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.message import Request
from thv.apps.kit.metrics import Metrics
from thv.apps.kit.metrics_http import HttpFigures, Timed
from thv.apps.kit.reviews import ReviewFailedError

pytestmark = pytest.mark.anyio

LIST = "/api/v1/servers"
CORP = Access("team", "corp")


@pytest.fixture
def figures() -> HttpFigures:
    return HttpFigures("registry")


@pytest.fixture
async def client(figures: HttpFigures, tmp_path: Path) -> Client:
    place = Place(tmp_path / "corp")
    await place.sync()
    return place.client(meters=(figures,))


def count(figures: HttpFigures, name: str, **labels: str) -> float | None:
    return value(told(Metrics(figures.metrics)), name, **labels)


async def test_requests_are_counted_by_the_template_of_their_route(
    client: Client, figures: HttpFigures
) -> None:
    plain = "/api/v1/servers/com.example%2Fplain"
    for target in (
        LIST,
        LIST,
        plain,
        "/api/v1/servers/nope",
        "/no/where",
        "/api/v1/servers?limit=0",
    ):
        await client.send("GET", target, {})
    await client.send("BREW", LIST, {})
    found = {
        (labels["route"], labels["method"], labels["code"]): number
        for name, labels, number in samples(told(Metrics(figures.metrics)))
        if name == "thv_http_requests_total"
    }
    assert found == {
        (LIST, "GET", "200"): 2,
        (LIST, "GET", "400"): 1,
        (LIST, "other", "405"): 1,
        ("/api/v1/servers/{name}", "GET", "200"): 1,
        ("/api/v1/servers/{name}", "GET", "404"): 1,
        ("none", "GET", "404"): 1,
    }
    durations = "thv_http_request_duration_seconds_count"
    assert count(figures, durations, route=LIST, method="GET") == 3
    assert count(figures, "thv_http_requests_in_flight", door="registry") == 0


async def test_an_answer_that_a_client_has_already_is_a_hit(
    client: Client, figures: HttpFigures
) -> None:
    tag = (await client.send("GET", LIST, {})).headers["etag"]
    await client.send("GET", LIST, {"if-none-match": tag})
    await client.send("GET", LIST, {"if-none-match": '"other"'})
    assert count(figures, "thv_http_cache_total", result="hit") == 1
    assert count(figures, "thv_http_cache_total", result="miss") == 1


async def test_whom_a_door_lets_in_is_counted_and_what_it_asked_for_that(
    figures: HttpFigures,
) -> None:
    reviews = MemoryReviews()
    authorize = figures.watched(Authorization(Timed(reviews, figures)).authorize)

    async def ask(header: str) -> None:
        headers = {b"authorization": header.encode()} if header else {}
        verdict = authorize(Request(method="GET", path=b"/", headers=headers), CORP)
        if isawaitable(verdict):
            await verdict

    for header in ("", "Bearer garbage", "Bearer good", "Bearer good"):
        await ask(header)
    reviews.rights.clear()
    reviews.failure = ReviewFailedError("it does not answer")
    await ask("Bearer unknown")
    results = {
        labels["result"]: number
        for name, labels, number in samples(told(Metrics(figures.metrics)))
        if name == "thv_auth_requests_total"
    }
    assert results == {
        "unauthenticated": 1,
        "invalid_token": 1,
        "forbidden": 0,
        "allowed": 2,
        "unavailable": 1,
    }
    assert count(figures, "thv_authz_decisions_total", result="allowed", verb="get") == 1
    assert count(figures, "thv_authorizer_duration_seconds_count", kind="tokenreview") == 3
