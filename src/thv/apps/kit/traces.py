"""Traces: a span for each sync, and for requests that somebody traces or that chance chooses.

In the flow: beside the figures, told of the same things; nothing of it is made where no collector is named. Spans wait
in memory and go out together; what a collector does not take is dropped, as nobody waits for traces.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec

from thv import __version__
from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Request
from thv.apps.kit.sparing import Sparing
from thv.apps.kit.variables import wrong
from thv.clients.otlp import Collector, ExportError, Span, encoded

log = logging.getLogger(__name__)

RATIO = 0.1
_EVERY = 5.0
_MOST = 4096
"""Spans that wait; the oldest give way."""
_TOGETHER = 512
_PATIENCE = 10.0
_COMPLAINTS = 300.0
_PARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED = 1


class TraceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where traces go, and of how many requests."""

    endpoint: str
    """Of a collector that takes OTLP over HTTP, such as `http://collector.monitoring.svc:4318`."""
    ratio: float = RATIO
    """Of the requests that nobody traces yet."""

    @property
    def collector(self) -> Collector:
        """Who takes them."""
        return Collector.at(self.endpoint)


def read_traces(environ: Mapping[str, str]) -> TraceSettings | None:
    """What THV_TRACES and THV_TRACES_RATIO say; None without the first."""
    endpoint = environ.get("THV_TRACES", "")
    if not endpoint:
        return None
    try:
        Collector.at(endpoint)
    except ValueError as error:
        raise wrong("THV_TRACES", "...", "a URL such as http://collector:4318") from error
    return TraceSettings(endpoint=endpoint, ratio=_ratio(environ.get("THV_TRACES_RATIO", "")))


def _ratio(text: str) -> float:
    try:
        found = float(text) if text else RATIO
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise wrong("THV_TRACES_RATIO", text, "a number from 0 to 1")
    return found


class Tracer:
    """Takes note of what happens in one process."""

    def __init__(
        self, settings: TraceSettings, service: str, *, source: random.Random | None = None
    ) -> None:
        """`service` is what the process is called in traces; `source` makes ids and chances."""
        self._collector = settings.collector
        self._ratio = settings.ratio
        self._resource = {"service.name": service, "service.version": __version__}
        self._random = source or random.Random()  # noqa: S311 # names in a trace, no secrets
        self._waiting: deque[Span] = deque(maxlen=_MOST)
        self._sparing = Sparing(_COMPLAINTS)

    # ------------------------------------------------------------ requests, as a meter

    def begun(self) -> None:
        """A request came; it is told of when it ended."""

    def ended(self, request: Request, context: Context, status: int, seconds: float) -> None:
        """It was answered, or the client went before."""
        place = self._place(request.headers.get(b"traceparent", b""))
        if place is None:
            return
        trace, parent = place
        end = time.time_ns()
        route = context.route or "none"
        self._waiting.append(
            Span(
                trace=trace,
                id=self._id(64),
                parent=parent,
                name=f"{request.method} {route}",
                kind="server",
                began=end - int(seconds * 1e9),
                ended=end,
                attributes={
                    "http.request.method": request.method,
                    "http.route": route,
                    "http.response.status_code": status,
                    "url.scheme": request.scheme,
                    "http.request.id": request.id,
                },
                error=f"status {status}" if status >= 500 else "",
            )
        )

    def _place(self, parent: bytes) -> tuple[str, str] | None:
        """Trace and parent, None for what is not told: as the caller says, who sees more of it, else by chance."""
        found = _PARENT.fullmatch(parent)
        if found is None or not int(found[1], 16) or not int(found[2], 16):
            return (self._id(128), "") if self._random.random() < self._ratio else None
        is_sampled = int(found[3], 16) & _SAMPLED
        return (found[1].decode(), found[2].decode()) if is_sampled else None

    # ------------------------------------------------------------ everything else

    def happened(
        self,
        name: str,
        began: datetime,
        ended: datetime,
        attributes: Mapping[str, str | int],
        *,
        error: str = "",
    ) -> None:
        """Something began, ended, and is a trace by itself."""
        self._waiting.append(
            Span(
                trace=self._id(128),
                id=self._id(64),
                name=name,
                began=_nanoseconds(began),
                ended=_nanoseconds(ended),
                attributes=attributes,
                error=error,
            )
        )

    def _id(self, bits: int) -> str:
        return f"{self._random.getrandbits(bits) or 1:0{bits // 4}x}"

    # ------------------------------------------------------------ sending

    async def send(self) -> None:
        """Everything that waits."""
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
            body = encoded(some, resource=self._resource, scope="thv")
            try:
                await self._collector.take(body, seconds=_PATIENCE)
            except ExportError as error:
                self._waiting.clear()
                if self._sparing.is_due():
                    log.warning("traces are dropped, the collector fails: %s", error)

    async def run(self) -> None:
        """Sends again and again until it is cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.send()


@asynccontextmanager
async def sending(tracer: Tracer | None) -> AsyncIterator[None]:
    """As long as the context lasts, and what is left at its end."""
    if tracer is None:
        yield
        return
    running = asyncio.ensure_future(tracer.run())
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await tracer.send()


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000
