"""One connection of a client: bytes in, requests to whoever answers, answers out.

In the flow: uvicorn listens, ticks and drains; this takes the place of its protocol. An answer that waits for nobody is
made without a task and sent by one write, which saves half of what a small one costs. What a request may be before it
is complete is bounded here; what a complete one may be, `dispatch` says.
"""

from __future__ import annotations

import asyncio
import http
import logging
from collections import deque
from collections.abc import Awaitable
from functools import cache
from typing import Any, Protocol

import httptools
import msgspec
from uvicorn.server import ServerState

from thv.apps.kit.http.body import BODY_LIMIT, Incoming
from thv.apps.kit.http.dispatch import LINE_LIMIT, Context
from thv.apps.kit.http.message import Header, Reply, Request, request_id
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.http.proxies import Proxies
from thv.apps.kit.http.traffic import Traffic

log = logging.getLogger(__name__)

_HEAD_LIMIT = 32 * 1024
"""Bytes of a head that is not complete yet: more than any that is accepted."""
_PIPELINED = 32
"""Requests that a client may send ahead."""
_JOINED = 32 * 1024
"""Bodies up to this size are copied behind their head, larger ones are written beside it."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BROKE_OFF = "request %s: the answer broke off"


class Responder(Protocol):
    """Answers requests; raises nothing."""

    def respond(self, request: Request, context: Context) -> Reply | Awaitable[Reply]:
        """The answer, at once where it waits for nobody."""
        ...

    def refuse(self, request: Request, context: Context, problem: ProblemError) -> Reply:
        """What is said, in bytes, where there is no time for an answer, or no request."""
        ...

    def done(self, request: Request, context: Context, *, sent: bool) -> None:
        """The answer was sent as a whole, or the client went before."""
        ...


class _Asked(msgspec.Struct, frozen=True):
    """A request whose head is complete."""

    request: Request
    context: Context
    takes_chunks: bool
    incoming: Incoming | None


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(
        self,
        responder: Responder,
        traffic: Traffic,
        server: ServerState,
        proxies: Proxies | None = None,
    ) -> None:
        self._responder = responder
        self._proxies = proxies
        self._traffic = traffic
        self._server = server
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = None  # type: ignore[assignment] # there before all else
        self._client, self._here, self._port, self._scheme = "", "", 0, "http"
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._head = self._body = 0
        """Bytes of an incomplete head, bytes of a body."""
        self._incoming: Incoming | None = None
        """The body that is coming."""
        self._held = 0
        """Bytes of the answer that was sent last."""
        self._in_head = self._in_message = False
        self._asked: deque[_Asked] = deque()
        self._task: asyncio.Task[None] | None = None
        self._is_paused = self._is_busy = False
        """Whether nothing is read for now; whether a request waits for its turn or is being answered."""
        self._takes_more = True
        """Whether there will be further requests."""
        self._writable: asyncio.Event | None = None
        """Set when a client that was slow reads on; None while it is not slow."""

    # ------------------------------------------------------------ as asyncio calls it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport = transport  # type: ignore[assignment] # what TCP and TLS give
        peer, here = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._client = str(peer[0]) if isinstance(peer, tuple) else ""
        self._here, self._port = (str(here[0]), here[1]) if isinstance(here, tuple) else ("", 0)
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        connections: set[Any] = self._server.connections
        connections.add(self)
        self._traffic.is_new(self, len(connections))

    def connection_lost(self, _: Exception | None) -> None:
        """The client went."""
        connections: set[Any] = self._server.connections
        connections.discard(self)
        self._traffic.is_gone(self)
        self._takes_more = False
        self._asked.clear()
        if self._task is not None:
            self._task.cancel()
        self._parser = None  # it knows this connection, too: nobody has to look for a circle

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self._writable = asyncio.Event()
        # The whole answer stays in memory until the last byte of it is gone.
        self._traffic.is_stalled(self, max(self.unread, self._held))

    def resume_writing(self) -> None:
        """It has read what there was."""
        self._traffic.reads_on(self)
        writable, self._writable = self._writable, None
        if writable is not None:
            writable.set()
        if not self._is_busy:
            self._go_on()

    def data_received(self, data: bytes) -> None:
        """A client says something."""
        if not self._takes_more and self._incoming is None:
            return
        was_in_head = self._in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._takes_more = False
        except httptools.HttpParserError:
            self._refuse(ProblemError(Word.INVALID_REQUEST, "This is not HTTP/1.1."))
        if self._in_head:
            self._head = self._head + len(data) if was_in_head else len(data)
            self._check_head()
        if not self._is_busy:
            self._go_on()
        elif not self._is_paused and (self._asked or self._has_enough()):
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The client asks for nothing more. What it asked is answered, but nobody is asked for somebody who left."""
        self._takes_more = False
        has_turn = self._is_busy and self._task is None
        return has_turn and self._scheme == "http"  # TLS ends as a whole

    # ------------------------------------------------------------ as the server calls it

    def shutdown(self) -> None:
        """Ends with the answer that is under way."""
        self._takes_more = False
        if not self._is_busy:
            self._go_on()

    @property
    def unread(self) -> int:
        """Bytes of answers that the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    def abort(self) -> None:
        """The client does not read."""
        self._takes_more = False
        self._transport.abort()

    def expire(self) -> None:
        """Nothing comes any more; who began a request is told so."""
        if self._in_head:
            seconds = self._traffic.limits.head
            message = f"The request was not complete after {seconds:g} seconds."
            self._refuse(ProblemError(Word.REQUEST_TIMEOUT, message))
        self._takes_more = False
        self._go_on()

    def take_turn(self, *, shed: bool) -> None:
        """Answers the request that came first."""
        if not self._asked:
            self._is_busy = False
            return
        asked = self._asked.popleft()
        try:
            answer = self._respond(asked, shed=shed)
            if isinstance(answer, Reply) and isinstance(answer.body, bytes):
                self._write(answer, answer.body)
                self._finish(asked, sent=True)
                return
        except Exception:
            log.exception(_BROKE_OFF, asked.request.id)
            self.abort()
            self._finish(asked, sent=False)
            return
        self._task = asyncio.get_running_loop().create_task(self._answer(asked, answer))
        self._server.tasks.add(self._task)
        self._task.add_done_callback(self._server.tasks.discard)

    # ------------------------------------------------------------ as the parser calls it

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._url, self._headers = b"", {}
        self._head = self._body = 0
        self._in_head = self._in_message = True

    def on_url(self, url: bytes) -> None:
        """A part of what is asked for."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        name, headers = name.lower(), self._headers
        headers[name] = headers[name] + b", " + value if name in headers else value

    def on_headers_complete(self) -> None:
        """A request. Its body, if it has one, comes while it is looked at: most who send one are not to send it."""
        self._in_head = False
        if not self._takes_more:
            return
        is_old = self._parser.get_http_version() == "1.0"
        self._incoming = self._body_to_come()
        request = self._request(self._parser.get_method().decode())
        self._asked.append(
            _Asked(
                request,
                Context(follow=self._traffic.follow),
                takes_chunks=not is_old,
                incoming=self._incoming,
            )
        )
        # Who expects to be told to go on may go on or not: what would follow cannot be told apart.
        self._takes_more = (
            self._parser.should_keep_alive()
            and not is_old
            and b"expect" not in self._headers
            and len(self._asked) < _PIPELINED
        )

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._body += len(body)
        if self._incoming is not None:
            self._incoming.feed(body)
        if self._body > BODY_LIMIT:
            self._takes_more, self._incoming = False, None

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self._in_message = False
        if self._incoming is not None:
            self._incoming.finish()
            self._incoming = None

    # ------------------------------------------------------------ requests

    def _request(self, method: str) -> Request:
        path, query = _target(self._url)
        client, scheme = self._client, self._scheme
        if self._proxies is not None:
            client, scheme = self._proxies.origin(client, scheme, self._headers)
        return Request(
            method=method,
            path=path,
            query=query,
            headers=self._headers,
            client=client,
            here=self._here,
            port=self._port,
            scheme=scheme,
            id=request_id(self._headers),
            incoming=self._incoming,
        )

    def _body_to_come(self) -> Incoming | None:
        headers = self._headers
        if headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers:
            return None
        expected = headers.get(b"expect", b"").lower() == b"100-continue"

        def wanted() -> None:
            if expected:
                self._transport.write(_CONTINUE)
            self._read_on()

        return Incoming(wanted)

    def _has_enough(self) -> bool:
        """Whether more of a body came than is held for nobody."""
        return self._incoming is not None and self._incoming.is_full

    def _read_on(self) -> None:
        if self._is_paused and not self._asked:
            self._is_paused = False
            self._transport.resume_reading()

    def _go_on(self) -> None:
        """What is next, where nothing is under way."""
        if self._writable is not None:
            return
        if self._asked:
            self._is_busy = True
            self._traffic.is_waiting(self)
        elif not self._takes_more:
            self._traffic.is_gone(self)
            self._transport.close()
        elif self._in_message:
            self._traffic.is_asking(self)
        else:
            self._traffic.is_idle(self)

    def _check_head(self) -> None:
        """What is too long is refused before there is more of it."""
        if len(self._url) > LINE_LIMIT:
            message = f"The request line is longer than {LINE_LIMIT} bytes."
            self._refuse(ProblemError(Word.URI_TOO_LONG, message))
        elif self._head > _HEAD_LIMIT:
            message = f"The headers are larger than {_HEAD_LIMIT} bytes in all."
            self._refuse(ProblemError(Word.HEADERS_TOO_LARGE, message))

    def _refuse(self, problem: ProblemError) -> None:
        """Says what is wrong with something that is no request, unless an answer is due before that."""
        if not self._takes_more:
            return
        self._takes_more = self._in_head = False
        if self._is_busy or self._asked:
            return
        # Nothing is made of the method: a HEAD that cannot be read is no HEAD.
        request = self._request("GET")
        context = Context()
        answer = self._responder.refuse(request, context, problem)
        if isinstance(answer.body, bytes):
            self._write(answer, answer.body)
        self._responder.done(request, context, sent=True)

    # ------------------------------------------------------------ answers

    def _respond(self, asked: _Asked, *, shed: bool) -> Reply | Awaitable[Reply]:
        if not shed:
            return self._responder.respond(asked.request, asked.context)
        message = "More is asked of this server than it can answer; come again."
        overloaded = ProblemError(Word.OVERLOADED, message, retry_after=1)
        return self._responder.refuse(asked.request, asked.context, overloaded)

    async def _answer(self, asked: _Asked, answer: Reply | Awaitable[Reply]) -> None:
        """An answer that waits for somebody, or that comes in parts."""
        sent = False
        try:
            reply = answer if isinstance(answer, Reply) else await self._awaited(asked, answer)
            await self._send(asked, reply)
            sent = True
        except Exception:
            log.exception(_BROKE_OFF, asked.request.id)
            self.abort()
        finally:
            self._task = None
            self._finish(asked, sent=sent)

    async def _awaited(self, asked: _Asked, answer: Awaitable[Reply]) -> Reply:
        if asked.context.is_following:
            return await answer
        self._traffic.began()
        try:
            return await answer
        finally:
            self._traffic.ended()

    async def _send(self, asked: _Asked, reply: Reply) -> None:
        body = reply.body
        if isinstance(body, bytes):
            self._write(reply, body)
            return
        if asked.takes_chunks:
            reply.headers.append((b"transfer-encoding", b"chunked"))
        self._write(reply, b"")
        async for part in body:
            if self._writable is not None:
                await self._writable.wait()
            self._transport.write(_chunk(part) if asked.takes_chunks else part)
        if asked.takes_chunks:
            self._transport.write(b"0\r\n\r\n")

    def _write(self, reply: Reply, body: bytes) -> None:
        headers = [*self._server.default_headers, *reply.headers]
        if reply.is_last or self._traffic.is_ending:
            self._takes_more = False
            self._asked.clear()
        if not (self._takes_more or self._asked):
            headers.append((b"connection", b"close"))
        head = _head_of(reply.status, headers)
        self._held = len(body)
        if len(body) <= _JOINED:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    def _finish(self, asked: _Asked, *, sent: bool) -> None:
        self._responder.done(asked.request, asked.context, sent=sent)
        if asked.context.is_following:
            self._traffic.follows_no_more()
        self._is_busy = False
        if asked.incoming is not None:
            asked.incoming.drop()
        self._read_on()
        self._go_on()


def _target(url: bytes) -> tuple[bytes, bytes]:
    """Path and query of what is asked for."""
    if url[:1] == b"/" and b"#" not in url:
        path, _, query = url.partition(b"?")
        return path, query
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        return url, b""
    return parsed.path or b"/", parsed.query or b""


def _head_of(status: int, headers: list[Header]) -> bytes:
    """The head of an answer; raises ValueError for a header that would be two."""
    head = b"\r\n".join((_status_line(status), *map(_COLON, headers), b"", b""))
    if head.count(b"\n") != len(headers) + 2 or head.count(b"\r") != len(headers) + 2:
        raise ValueError("a header holds the end of a line")
    return head


_COLON = b": ".join


@cache
def _status_line(status: int) -> bytes:
    return b"HTTP/1.1 %d %b" % (status, http.HTTPStatus(status).phrase.encode())


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part) if part else b""
