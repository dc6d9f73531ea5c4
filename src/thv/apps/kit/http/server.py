"""The thin skin: ASGI in, ASGI out, and the headers that every answer has.

In the flow: outermost. Nothing above it catches, so here and only here everything is caught.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol, TypeAlias

from thv.apps.kit.http.body import too_large
from thv.apps.kit.http.compression import Compressor
from thv.apps.kit.http.cors import Cors
from thv.apps.kit.http.dispatch import Context, Dispatcher, family_of
from thv.apps.kit.http.message import Answer, Header, Reply, Request, headers_of, request_id
from thv.apps.kit.http.negotiation import wants_problem
from thv.apps.kit.http.problems import ProblemError, Word, problem_of, render
from thv.apps.kit.http.rates import Limiter, charged
from thv.domain.errors import ThvError

log = logging.getLogger(__name__)

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_HSTS: Header = (b"strict-transport-security", b"max-age=31536000")
_VARY = b"Accept, Accept-Encoding, Authorization"
GONE = 499
"""The status of a request whose client went before there was an answer."""
_FAILED = "request %s: %s %r failed"
_BODILESS = frozenset({204, 304})


class Meter(Protocol):
    """Is told of requests; must not raise."""

    def begun(self) -> None: ...

    def ended(self, request: Request, context: Context, status: int, seconds: float, /) -> None: ...


Explain: TypeAlias = Callable[[ProblemError, Request, Context], Answer]
"""Says what is wrong to whoever asked, at once."""
ExplainFully: TypeAlias = Callable[[ProblemError, Request], Awaitable[Answer]]
"""The same where there is time to find out who that is; raises nothing."""


class HttpServer:
    """Answers over a dispatcher: the responder of a connection, and an ASGI application."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        cors: Cors,
        compressor: Compressor,
        meters: Sequence[Meter] = (),
        explain: Explain | None = None,
        explain_fully: ExplainFully | None = None,
    ) -> None:
        """`meters` count; `explain` is how errors are said, by default in the words of the family that was asked.

        `explain_fully` says them instead where there is a whole request and time.
        """
        self._dispatcher = dispatcher
        self._cors = cors
        self._compressor = compressor
        self.meters = meters
        self._explain = explain or _in_words
        self._explain_fully = explain_fully
        vary = _VARY + b", Origin" if cors.origins else _VARY
        self._always = (*_ALWAYS, (b"vary", vary))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's request, or the start and stop of the process."""
        match scope["type"]:
            case "http":
                await self._serve(request_of(scope, receive), send)
            case "lifespan":
                await _lifespan(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1000})

    async def _serve(self, request: Request, send: Send) -> None:
        context, sent = Context(), False
        try:
            found = self.respond(request, context)
            await _send(found if isinstance(found, Reply) else await found, send)
            sent = True
        finally:
            self.done(request, context, sent=sent)

    def has(self, path: bytes) -> bool:
        """Whether something answers at a raw path."""
        return self._dispatcher.has(path)

    @property
    def limiter(self) -> Limiter | None:
        """What callers are held to, if they are."""
        return self._dispatcher.limiter

    async def ask(self, request: Request) -> Answer:
        """The answer to a request from within the process; raises ProblemError, ThvError.

        Whoever counts requests is not told; what it costs is charged as to anybody who asks.
        """
        context = Context(is_inside=True)
        found = self._dispatcher.answer(request, context)
        answer = found if isinstance(found, Answer) else await found
        if context.account is not None:
            charged(context.account, answer.rows)
        return answer

    # ------------------------------------------------------------ as a connection calls it

    def respond(self, request: Request, context: Context) -> Reply | Awaitable[Reply]:
        """The answer to a request, whatever happens; at once where it waits for nobody."""
        for meter in self.meters:
            meter.begun()
        try:
            found = self._dispatcher.answer(request, context)
            if isinstance(found, Answer):
                found = self._compressed(request, found)
            else:
                found = self._awaited(request, found)
        except (ProblemError, ThvError) as error:
            found = self._said(error, request, context)
        except Exception:
            log.exception(_FAILED, request.id, request.method, request.path)
            found = self._said(_unexpected(), request, context)
        if isinstance(found, Answer):
            return self._reply(found, request, context)
        return self._later(found, request, context)

    async def _awaited(self, request: Request, answer: Awaitable[Answer]) -> Answer:
        found = self._compressed(request, await answer)
        return found if isinstance(found, Answer) else await found

    async def _later(self, answer: Awaitable[Answer], request: Request, context: Context) -> Reply:
        try:
            async with asyncio.timeout(context.seconds):
                return self._reply(await answer, request, context)
        except TimeoutError:
            said = self._said(_too_slow(context.seconds), request, context)
        except (ProblemError, ThvError) as error:
            said = self._said(error, request, context)
        except Exception:
            log.exception(_FAILED, request.id, request.method, request.path)
            said = self._said(_unexpected(), request, context)
        made = said if isinstance(said, Answer) else await said
        return self._reply(made, request, context)

    def refuse(self, request: Request, context: Context, problem: ProblemError) -> Reply:
        """What is said where there is no time for an answer, or no request."""
        for meter in self.meters:
            meter.begun()
        context.family = family_of(request.path)
        self._dispatcher.hush(request.path, context)
        return self._reply(self._explain(problem, request, context), request, context)

    def done(self, request: Request, context: Context, *, sent: bool) -> None:
        """Tells those who count."""
        seconds = time.perf_counter() - context.began
        for meter in self.meters:
            meter.ended(request, context, context.status if sent else GONE, seconds)

    def _compressed(self, request: Request, answer: Answer) -> Answer | Awaitable[Answer]:
        if b"accept-encoding" not in request.headers:
            return answer
        return self._compressor.compressed(request, answer)

    def _said(
        self, error: ProblemError | ThvError, request: Request, context: Context
    ) -> Answer | Awaitable[Answer]:
        problem = error if isinstance(error, ProblemError) else problem_of(error)
        if not context.route:
            self._dispatcher.hush(request.path, context)
        if self._explain_fully is not None:
            return self._explain_fully(problem, request)
        return self._explain(problem, request, context)

    def _reply(self, answer: Answer, request: Request, context: Context) -> Reply:
        body = answer.body
        headers = [
            *answer.headers,
            *self._cors.headers(context.family, request),
            *self._always,
            (b"x-request-id", request.id.encode()),
        ]
        if request.scheme == "https":
            headers.append(_HSTS)
        if context.account is not None:
            headers += charged(context.account, answer.rows)
        context.status = answer.status
        if isinstance(body, bytes) and answer.status not in _BODILESS:
            headers.append((b"content-length", b"%d" % len(body)))
        if request.method == "HEAD":
            body = b""
        context.size = len(body) if isinstance(body, bytes) else 0
        return Reply(answer.status, headers, body)


async def _send(reply: Reply, send: Send) -> None:
    """As ASGI has it."""
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    if isinstance(reply.body, bytes):
        await send({"type": "http.response.body", "body": reply.body})
        return
    async for part in reply.body:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _unexpected() -> ProblemError:
    return ProblemError(
        Word.INTERNAL, "Something went wrong here; the log has the details under the request id."
    )


def _too_slow(seconds: float) -> ProblemError:
    return ProblemError(Word.TIMEOUT, f"There was no answer within {seconds:g} s; come again.")


def _in_words(problem: ProblemError, request: Request, context: Context) -> Answer:
    return render(
        problem,
        context.family,
        path=request.path.decode("latin-1"),
        request_id=request.id,
        as_problem=wants_problem(request.header(b"accept")),
    )


class _Received:
    """A body as ASGI has it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def read(self, most: int) -> bytes:
        """All of it; raises ProblemError for one that is too large."""
        content, more = b"", True
        while more:
            message = await self._receive()
            content += message.get("body", b"")
            more = message.get("more_body", False)
            if len(content) > most:
                raise too_large(most)
        return content


def request_of(scope: Scope, receive: Receive) -> Request:
    """The request of an ASGI scope."""
    headers = headers_of(scope["headers"])
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path=scope["raw_path"],
        query=scope["query_string"],
        headers=headers,
        client=client[0] if client else "",
        scheme=scope["scheme"],
        id=request_id(headers),
        incoming=_Received(receive),
    )


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
