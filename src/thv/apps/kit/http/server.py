"""The thin skin: ASGI in, ASGI out, and the headers that every answer has.

In the flow: outermost. Nothing above it catches, so here and only here everything is caught.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias

from thv.apps.kit.http.compression import Compressor
from thv.apps.kit.http.cors import Cors
from thv.apps.kit.http.dispatch import Context, Dispatcher
from thv.apps.kit.http.message import Answer, Header, Request, headers_of
from thv.apps.kit.http.negotiation import wants_problem
from thv.apps.kit.http.problems import ProblemError, Word, problem_of, render
from thv.domain.errors import ThvError

log = logging.getLogger(__name__)

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_HSTS: Header = (b"strict-transport-security", b"max-age=31536000")
_VARY = b"Accept, Accept-Encoding, Authorization"
_SHAPE = 7 << 76 | 2 << 62
_SHAPE_BITS = 15 << 76 | 3 << 62
"""Where a UUID says what kind of UUID it is."""
_BODILESS = frozenset({204, 304})


class Meter(Protocol):
    """Is told of requests; must not raise."""

    def begun(self) -> None: ...

    def ended(self, request: Request, context: Context, status: int, seconds: float, /) -> None: ...


class HttpServer:
    """An ASGI application over a dispatcher."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        cors: Cors,
        compressor: Compressor,
        new_id: Callable[[], str] | None = None,
        meter: Meter | None = None,
    ) -> None:
        """`new_id` makes request ids; `meter` counts."""
        self._dispatcher = dispatcher
        self._cors = cors
        self._compressor = compressor
        self._new_id = new_id or new_request_id
        self._meter = meter
        vary = _VARY + b", Origin" if cors.origins else _VARY
        self._always = (*_ALWAYS, (b"vary", vary))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's request, or the start and stop of the process."""
        match scope["type"]:
            case "http":
                request = request_of(scope, self._new_id)
                if self._meter is None:
                    answer, context = await self.answer(request)
                    await self._send(request, answer, context, send)
                else:
                    await self._metered(request, send, self._meter)
            case "lifespan":
                await _lifespan(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1000})

    async def _metered(self, request: Request, send: Send, meter: Meter) -> None:
        began, status, context = time.perf_counter(), 0, Context()
        meter.begun()
        try:
            answer, context = await self.answer(request)
            status = answer.status
            await self._send(request, answer, context, send)
        finally:
            meter.ended(request, context, status, time.perf_counter() - began)

    async def answer(self, request: Request) -> tuple[Answer, Context]:
        """The answer to a request, whatever happens."""
        context = Context()
        try:
            answer = await self._dispatcher.answer(request, context)
            if request.headers.get(b"accept-encoding"):
                answer = await self._compressor.compressed(request, answer)
        except ProblemError as problem:
            answer = _explained(problem, request, context)
        except ThvError as error:
            answer = _explained(problem_of(error), request, context)
        except Exception:
            log.exception("request %s: %s %r failed", request.id, request.method, request.path)
            answer = _explained(_unexpected(), request, context)
        return answer, context

    async def _send(self, request: Request, answer: Answer, context: Context, send: Send) -> None:
        body = answer.body
        headers = [
            *answer.headers,
            *self._cors.headers(context.family, request),
            *self._always,
            (b"x-request-id", request.id.encode()),
        ]
        if request.scheme == "https":
            headers.append(_HSTS)
        if isinstance(body, bytes) and answer.status not in _BODILESS:
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if isinstance(body, bytes):
            shown = b"" if request.method == "HEAD" else body
            await send({"type": "http.response.body", "body": shown})
        else:
            await _stream(request, body, send)


async def _stream(request: Request, body: AsyncIterator[bytes], send: Send) -> None:
    if request.method != "HEAD":
        async for part in body:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _unexpected() -> ProblemError:
    return ProblemError(
        Word.INTERNAL, "Something went wrong here; the log has the details under the request id."
    )


def _explained(problem: ProblemError, request: Request, context: Context) -> Answer:
    return render(
        problem,
        context.family,
        path=request.path.decode("latin-1"),
        request_id=request.id,
        as_problem=wants_problem(request.header(b"accept")),
    )


def request_of(scope: Scope, new_id: Callable[[], str]) -> Request:
    """The request of an ASGI scope."""
    headers = headers_of(scope["headers"])
    given = headers.get(b"x-request-id", b"")
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path=scope["raw_path"],
        query=scope["query_string"],
        headers=headers,
        client=client[0] if client else "",
        scheme=scope["scheme"],
        id=given.decode() if given and _REQUEST_ID.fullmatch(given) else new_id(),
    )


def new_request_id() -> str:
    """A UUID of version 7: sorts by time."""
    stamp = time.time_ns() // 1_000_000
    # A name in a log, not a secret.
    number = stamp << 80 | _SHAPE | random.getrandbits(76) & ~_SHAPE_BITS
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
