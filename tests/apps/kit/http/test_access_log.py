"""Lines of requests."""

from __future__ import annotations

import json

import pytest

from thv.apps.kit.http.access_log import AccessLog
from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Request
from thv.apps.kit.logs import LogFormat

pytestmark = pytest.mark.anyio

NOW = 1_795_262_400.25


def logged(form: LogFormat, query: bytes = b"limit=1") -> str:
    written: list[str] = []
    log = AccessLog(form, write=written.append, now=lambda: NOW)
    request = Request(
        method="GET", path=b"/api/v1/servers", query=query, client="10.0.0.7", id="0199"
    )
    log.begun()
    log.ended(request, Context(route="/api/v1/servers", size=1834), 200, 0.00125)
    assert written == []
    log.flush()
    log.flush()
    (line,) = written
    return line


async def test_a_line_for_people() -> None:
    assert logged("text") == (
        "2026-11-21T12:00:00.250Z access: 10.0.0.7 "
        '"GET /api/v1/servers?limit=1" 200 1834 B 1.2 ms 0199\n'
    )


async def test_a_line_for_programs() -> None:
    assert json.loads(logged("json")) == {
        "time": "2026-11-21T12:00:00.250Z",
        "level": "INFO",
        "logger": "access",
        "message": "GET /api/v1/servers?limit=1",
        "status": 200,
        "bytes": 1834,
        "seconds": 0.00125,
        "client": "10.0.0.7",
        "route": "/api/v1/servers",
        "request_id": "0199",
    }


@pytest.mark.parametrize("form", ["text", "json"])
async def test_secrets_and_control_characters_are_not_written(form: LogFormat) -> None:
    line = logged(form, query=b"access_token=abc123&x=\x9b\xff")
    assert "abc123" not in line
    assert line.isascii()
    assert line.isprintable() or line[:-1].isprintable()


async def test_many_lines_are_written_together() -> None:
    written: list[str] = []
    log = AccessLog(write=written.append)
    for _ in range(1001):
        log.ended(Request(method="GET", path=b"/"), Context(), 200, 0.0)
    assert [text.count("\n") for text in written] == [500, 500]
    log.flush()
    assert written[2].count("\n") == 1


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_code_that_signs_in_is_in_no_line(form: LogFormat) -> None:
    written: list[str] = []
    log = AccessLog(form, write=written.append, now=lambda: NOW)
    request = Request(method="HEAD", path=b"/signin/once/c0de", query=b"a=c0de")
    log.ended(request, Context(route="/signin/once/{code}", is_secret=True), 404, 0.1)
    log.flush()
    assert "c0de" not in written[0]
    assert "/signin/once/{code}" in written[0]
