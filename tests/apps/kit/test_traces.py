"""Traces as a collector gets them."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Request
from thv.apps.kit.traces import Tracer, TraceSettings, read_traces, sending
from thv.clients.otlp import Collector
from thv.domain.errors import ThvError

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("OPS-03")]

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Receiver:
    """Takes spans, with this status."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.heads: list[str] = []
        self.spans: list[dict[str, Any]] = []
        self.resources: list[dict[str, Any]] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self._take, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.partition("Content-Length: ")[2].split()[0])
        (group,) = json.loads(await reader.readexactly(length))["resourceSpans"]
        self.heads.append(head)
        self.resources.append(plain(group["resource"]["attributes"]))
        self.spans += group["scopeSpans"][0]["spans"]
        writer.write(f"HTTP/1.1 {self.status} x\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in attributes}


def a_tracer(endpoint: str, ratio: float = 1.0) -> Tracer:
    settings = TraceSettings(endpoint=endpoint, ratio=ratio)
    return Tracer(settings, "registry-api", source=random.Random(7))


def asked(tracer: Tracer, traceparent: str = "", status: int = 200) -> None:
    """A request that took 20 ms."""
    headers = {b"traceparent": traceparent.encode()} if traceparent else {}
    request = Request(method="GET", path=b"/api/v1/servers/x", headers=headers, id="r-1")
    context = Context()
    context.route = "/api/v1/servers/{name}"
    tracer.begun()
    tracer.ended(request, context, status, 0.02)


async def test_a_request_is_part_of_the_trace_of_its_caller() -> None:
    receiver = Receiver()
    async with receiver.listening() as endpoint:
        tracer = a_tracer(endpoint, ratio=0)
        asked(tracer, f"00-{TRACE}-{PARENT}-01")
        await tracer.send()
    (span,) = receiver.spans
    assert (span["traceId"], span["parentSpanId"], span["kind"]) == (TRACE, PARENT, 2)
    assert span["name"] == "GET /api/v1/servers/{name}"
    assert int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) == 20_000_000
    assert plain(span["attributes"]) == {
        "http.request.method": "GET",
        "http.route": "/api/v1/servers/{name}",
        "http.response.status_code": "200",
        "url.scheme": "http",
        "http.request.id": "r-1",
    }
    assert receiver.resources[0]["service.name"] == "registry-api"
    assert receiver.heads[0].startswith("POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("traceparent", "ratio", "told"),
    [
        (f"00-{TRACE}-{PARENT}-00", 1.0, False),
        (f"00-{TRACE}-{PARENT}-03", 0.0, True),
        (f"00-{'0' * 32}-{PARENT}-01", 0.0, False),
        ("garbage", 0.0, False),
        ("garbage", 1.0, True),
        ("", 0.0, False),
        ("", 1.0, True),
    ],
)
async def test_the_caller_decides_else_chance(traceparent: str, ratio: float, told: bool) -> None:
    receiver = Receiver()
    async with receiver.listening() as endpoint:
        tracer = a_tracer(endpoint, ratio)
        asked(tracer, traceparent)
        await tracer.send()
    assert bool(receiver.spans) is told


async def test_what_happened_is_told_with_what_went_wrong() -> None:
    receiver = Receiver()
    async with receiver.listening() as endpoint:
        tracer = a_tracer(endpoint)
        async with sending(tracer):  # what is left goes out at the end
            tracer.happened("sync", NOON, NOON, {"thv.registry": "corp"}, error="no answer")
            asked(tracer, status=503)
    sync, request = receiver.spans
    assert sync["startTimeUnixNano"] == str(int(NOON.timestamp()) * 10**9)
    assert sync["status"] == {"code": 2, "message": "no answer"}
    assert "parentSpanId" not in sync
    assert request["status"]["message"] == "status 503"
    assert len({each["spanId"] for each in receiver.spans}) == 2


async def test_many_go_in_several_parts_and_too_many_give_way() -> None:
    receiver = Receiver()
    async with receiver.listening() as endpoint:
        tracer = a_tracer(endpoint)
        for _ in range(5000):
            asked(tracer)
        await tracer.send()
    assert (len(receiver.spans), len(receiver.heads)) == (4096, 8)


async def test_a_collector_that_fails_is_told_of_once_and_nothing_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver = Receiver(status=500)
    with caplog.at_level(logging.WARNING):
        async with receiver.listening() as endpoint:
            tracer = a_tracer(endpoint)
            for _ in range(2):
                asked(tracer)
                await tracer.send()
        asked(tracer)
        await tracer.send()  # nobody listens any more
    assert [record.getMessage() for record in caplog.records] == [
        "traces are dropped, the collector fails: it answers with status 500"
    ]
    assert len(receiver.spans) == 2


def test_without_a_collector_there_are_none() -> None:
    assert read_traces({"THV_TRACES_RATIO": "1"}) is None


@pytest.mark.parametrize("ratio", ["many", "-1", "1.5", "nan"])
def test_a_share_is_from_0_to_1(ratio: str) -> None:
    with pytest.raises(ThvError, match="THV_TRACES_RATIO"):
        read_traces({"THV_TRACES": "http://collector:4318", "THV_TRACES_RATIO": ratio})


@pytest.mark.parametrize(
    ("endpoint", "place", "port"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces", 4318),
        ("https://otel.example/in/", "https://otel.example/in/v1/traces", 443),
        ("http://[fd00::1]/v1/traces", "http://[fd00::1]/v1/traces", 80),
    ],
)
def test_an_endpoint_may_name_path_and_port_or_not(endpoint: str, place: str, port: int) -> None:
    collector = Collector.at(endpoint)
    assert (collector.url, collector.port) == (place, port)


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://c", "http://u:p@c", "http://c:x"])
def test_what_is_no_address_of_a_collector_is_refused_at_the_start(endpoint: str) -> None:
    with pytest.raises(ThvError, match="THV_TRACES"):
        read_traces({"THV_TRACES": endpoint})
