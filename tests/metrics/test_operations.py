"""The port that only the platform asks."""

from __future__ import annotations

from typing import Any

import pytest

from thv.apps.kit.metrics import Counter, Metrics
from thv.apps.kit.operations import Operations

pytestmark = pytest.mark.anyio


async def ask(path: str, method: str = "GET", accept: str = "", *, ready: bool = True) -> Any:
    """Status, content type and body."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    app = Operations(lambda: ready, Metrics([Counter("thv_a_total", "A.")]))
    headers = [(b"accept", accept.encode())]
    scope = {"type": "http", "path": path, "method": method, "headers": headers}
    await app(scope, receive, send)
    start, body = sent
    return start["status"], dict(start["headers"])[b"content-type"], body["body"]


async def test_figures_are_told_in_both_forms() -> None:
    status, kind, body = await ask("/metrics")
    assert (status, kind.split(b";")[0], b"# EOF" in body) == (200, b"text/plain", False)
    status, kind, body = await ask("/metrics", accept="application/openmetrics-text")
    assert (status, body.endswith(b"# EOF\n")) == (200, True)


async def test_health_is_told_as_before() -> None:
    assert (await ask("/livez"))[0] == 200
    assert (await ask("/readyz", ready=False))[0] == 503
    assert (await ask("/nope"))[0] == 404


async def test_nothing_is_taken() -> None:
    assert (await ask("/metrics", "POST"))[0] == 405
    assert (await ask("/metrics", "HEAD"))[2] == b""
