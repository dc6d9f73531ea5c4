"""Requests and watches of one API server.

In the flow: built by `config`, used by the Kubernetes kinds of stores. A request is one JSON answer within bounds
of time and size; a watch is one connection that ends when the server, its bounds or the network say so. What
follows from that (list again, go on from a version) is the caller's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from typing import Any

import httpx2
import msgspec

from thv.clients.kube.answers import (
    JsonObject,
    Lines,
    parse_object,
    read_body,
    refusal,
    told_error,
    warnings_in,
)
from thv.clients.kube.errors import KubeConfigError, KubeError, KubeUnreachableError

# One line a request at level INFO, and headers at DEBUG.
logging.getLogger("httpx2").setLevel(logging.WARNING)
logging.getLogger("httpcore2").setLevel(logging.INFO)

JSON = "application/json"
Warned = Callable[[str], None]
"""Told a sentence of the server."""


def unheard(_text: str) -> None:
    """For who has nobody to tell."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much and how long; bytes and seconds."""

    body: int = 64 * 1024 * 1024
    line: int = 16 * 1024 * 1024
    connect: float = 10.0
    opening: float = 30.0
    """From asking for a watch to its first byte."""
    watch: float = 290.0
    """The server ends a watch then, a little earlier by chance."""
    requests: int = 16
    """At once; watches are not counted."""
    retries: int = 3
    patience: float = 5.0
    """The longest Retry-After that is waited for here; longer ones are the caller's."""


class _Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as often as it is sent."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes | None = None
    most: int | None = None
    """Bytes of the answer, instead of the usual limit."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class KubeClient:
    """One API server, with one identity."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        namespace: str = "default",
        sni: str = "",
        limits: Limits = Limits(),  # noqa: B008 # a frozen value
        chance: Callable[[], float] = random.random,
        warned: Warned = unheard,
    ) -> None:
        """`sni` is the name that the server's certificate has, where it is not the host of its URL.

        `warned` is told what the server warns of, beside its answer.
        """
        self.namespace = namespace
        """The namespace that the configuration names."""
        self.date = ""
        """The time of the server in its newest answer, as HTTP writes it."""
        self._http = http
        self._extensions = {"sni_hostname": sni} if sni else {}
        self._limits = limits
        self._chance = chance
        self._warned = warned
        self._turns = asyncio.Semaphore(limits.requests)
        self._waits: set[asyncio.Timeout] = set()
        self._closed = False

    @property
    def server(self) -> str:
        """Where the API server is, for messages."""
        return str(self._http.base_url).rstrip("/")

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float = 30.0,
        most: int | None = None,
    ) -> JsonObject:
        """The parsed answer; raises KubeError for a refusal, KubeUnreachableError when none came in time.

        Raises KubeTooLargeError for an answer of more than `most` bytes. Sent again a few times when the server asks for that within our patience, and when the connection of a
        GET breaks.
        """
        headers = {"Accept": accept, "Accept-Encoding": "gzip" if method == "GET" else "identity"}
        content = None
        if body is not None:
            content, headers["Content-Type"] = _encoded(body, content_type), content_type
        call = _Call(
            method=method,
            path=path,
            query=query or {},
            headers=headers,
            content=content,
            most=most,
        )
        async with self._within(timeout, f"no complete answer to {call}"), self._turns:
            return await self._answered(call)

    async def watch(
        self,
        path: str,
        *,
        query: Mapping[str, str],
        idle: float = 90.0,
        accept: str = JSON,
        opened: Callable[[], None] = lambda: None,
    ) -> AsyncGenerator[JsonObject, None]:
        """The events as they come, `{"type", "object"}`; ends when the server ends it.

        `opened` is called once the server has agreed, which may be long before the first event.

        Raises KubeError for a refusal and for an event ERROR (410: the version is too old), and
        KubeUnreachableError when the connection breaks or `idle` seconds bring nothing: a server that sends
        bookmarks says something about once a minute. Close it (`contextlib.aclosing`) when leaving it early.
        """
        call = _Call(
            method="GET",
            path=path,
            query={"watch": "true", "timeoutSeconds": self._watch_seconds(), **query},
            headers={"Accept": accept, "Accept-Encoding": "identity"},
        )
        async with self._opened(call) as answer, aclosing(answer.aiter_raw()) as pieces:
            opened()
            lines = Lines(self._limits.line)
            while (piece := await self._next(pieces, idle, call)) is not None:
                for line in lines.feed(piece):
                    yield _event(line, call)
            if lines.unfinished:
                raise KubeUnreachableError(
                    f"{self.server} ended {call} in the middle of a line", broken=True
                )

    async def lines(
        self, path: str, *, query: Mapping[str, str], idle: float | None = 90.0
    ) -> AsyncGenerator[bytes, None]:
        """The lines of a plain text as they come, such as a log; the last one may lack its end.

        Without `idle` the next line is waited for however long it takes. Raises as `watch` does; close it as well.
        """
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        call = _Call(method="GET", path=path, query=query, headers=headers)
        async with self._opened(call) as answer, aclosing(answer.aiter_raw()) as pieces:
            lines = Lines(self._limits.line)
            while (piece := await self._next(pieces, idle, call)) is not None:
                for line in lines.feed(piece):
                    yield line
            if lines.unfinished:
                yield lines.rest

    async def close(self) -> None:
        """Closes all connections; open watches end with KubeUnreachableError."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for wait in self._waits:
            if not wait.expired():
                wait.reschedule(now)
        await self._http.aclose()

    # ------------------------------------------------------------ requests

    async def _answered(self, call: _Call) -> JsonObject:
        for attempt in range(1, self._limits.retries + 1):
            try:
                return await self._once(call)
            except (KubeError, KubeUnreachableError) as error:
                pause = self._pause(call, error)
                if pause is None:
                    raise
                await asyncio.sleep(pause + self._chance() * 0.05 * attempt)
        return await self._once(call)

    async def _once(self, call: _Call) -> JsonObject:
        async with self._sent(call) as answer:
            self.date = answer.headers.get("date", "")
            body = await self._body(answer, call)
            if answer.is_success:
                return parse_object(body, str(call))
            raise refusal(answer.status_code, answer.headers, body, str(call))

    def _pause(self, call: _Call, error: KubeError | KubeUnreachableError) -> float | None:
        """Seconds after which the same request may be sent again; None when it may not."""
        if isinstance(error, KubeUnreachableError):
            return 0.0 if error.broken and call.method == "GET" else None
        asked = error.retry_after if error.status in (429, 503) else None
        return asked if asked is not None and asked <= self._limits.patience else None

    # ------------------------------------------------------------ watches

    @asynccontextmanager
    async def _opened(self, call: _Call) -> AsyncIterator[httpx2.Response]:
        async with AsyncExitStack() as stack:
            async with self._within(self._limits.opening, f"no answer to {call}"):
                answer = await stack.enter_async_context(self._sent(call))
                if not answer.is_success:
                    body = await self._body(answer, call)
                    raise refusal(answer.status_code, answer.headers, body, str(call))
            yield answer

    async def _next(
        self, pieces: AsyncGenerator[bytes, None], idle: float | None, call: _Call
    ) -> bytes | None:
        async with self._within(idle, f"nothing more to {call}"):
            with self._translated(call):
                return await anext(pieces, None)

    def _watch_seconds(self) -> str:
        return str(int(self._limits.watch * (0.9 + 0.1 * self._chance())))

    # ------------------------------------------------------------ the wire

    @asynccontextmanager
    async def _sent(self, call: _Call) -> AsyncIterator[httpx2.Response]:
        with self._translated(call):
            request = self._http.build_request(
                call.method,
                call.path,
                params=dict(call.query),
                headers=dict(call.headers),
                content=call.content,
                extensions=dict(self._extensions),
                timeout=httpx2.Timeout(None, connect=self._limits.connect),
            )
            answer = await self._http.send(request, stream=True)
        for text in warnings_in(answer.headers.get_list("warning")):
            self._warned(text)
        try:
            yield answer
        finally:
            with self._translated(call):
                await answer.aclose()

    async def _body(self, answer: httpx2.Response, call: _Call) -> bytearray:
        encoding = answer.headers.get("content-encoding", "")
        with self._translated(call):
            async with aclosing(answer.aiter_raw()) as pieces:
                most = call.most or self._limits.body
                return await read_body(pieces, encoding, most, str(call))

    @asynccontextmanager
    async def _within(self, seconds: float | None, what: str) -> AsyncIterator[None]:
        """Bounds the wait inside, unless that is None, and ends it when the client is closed."""
        self._require_open()
        try:
            async with asyncio.timeout(seconds) as wait:
                self._waits.add(wait)
                try:
                    yield
                finally:
                    self._waits.discard(wait)
        except TimeoutError as error:
            if not wait.expired():
                raise
            self._require_open()
            message = f"{self.server} gave {what} within {seconds:g} s"
            raise KubeUnreachableError(message) from error

    def _require_open(self) -> None:
        if self._closed:
            raise KubeUnreachableError(f"the client of {self.server} was closed")

    @contextmanager
    def _translated(self, call: _Call) -> Iterator[None]:
        """The library's exceptions as ours."""
        try:
            yield
        except httpx2.ConnectError as error:
            raise KubeUnreachableError(f"no connection to {self.server}: {_why(error)}") from error
        except httpx2.TimeoutException as error:
            raise KubeUnreachableError(f"no connection to {self.server} in time") from error
        except (httpx2.TransportError, httpx2.StreamError) as error:
            self._require_open()
            message = f"the connection to {self.server} broke at {call}"
            raise KubeUnreachableError(message, broken=True) from error
        except KubeConfigError as error:
            raise KubeUnreachableError(error.message) from error


_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def _encoded(body: Any, content_type: str) -> bytes:
    """As JSON, which is YAML too but for some characters: YAML refuses them, or takes them for ends of lines."""
    encoded = msgspec.json.encode(body)
    if not content_type.endswith("+yaml"):
        return encoded
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", encoded.decode()).encode()


def _event(line: bytes, call: _Call) -> JsonObject:
    event = parse_object(line, str(call))
    if event.get("type") == "ERROR":
        told = event.get("object")
        raise told_error(told if isinstance(told, dict) else {})
    return event


def _why(error: BaseException) -> str:
    """What a person can act on, from the innermost cause that says so."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid: {cause.verify_message}"
        if isinstance(cause, socket.gaierror):
            return "its name has no address"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    return str(error) or "unknown reason"
