"""A proxy between one process and the API server, where everything can go wrong that goes wrong between them.

    with FaultProxy(server, ca_file, folder) as proxy:        # its own thread and loop
        path = proxy.kubeconfig(kubeconfig)                   # the same user, through the proxy
        proxy.faults = Faults(errors=0.1, close_after=2)
        proxy.kill(pid, number=3, moment="before")
        with proxy.away(): ...
        proxy.journal.counted

Users come by bearer token, which the proxy passes on; it has no rights of its own. A kill needs a proxy that only
the process to be killed goes through.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from tests.control_plane.certificates import Authority
from tests.faults.kubernetes.faults import NONE, Dice, Faults, Kill, Moment, refusal
from tests.faults.kubernetes.history import History, Shown, as_list, can_lag, from_list
from tests.faults.kubernetes.journal import Journal, Target, Write, target_of
from tests.faults.kubernetes.watching import disturbed
from tests.faults.kubernetes.wire import (
    HEAD_LIMIT,
    Head,
    Message,
    lines,
    piece,
    read_body,
    read_head,
)

SETTLE = 0.05
"""A client that has a reply and asks nothing more within so long is killed then."""


class BrokenError(Exception):
    """The connection to the client is to break now."""


class FaultProxy:
    """One listening address."""

    def __init__(
        self,
        server: str,
        ca_file: Path,
        folder: Path,
        *,
        seed: int = 0,
        history: History | None = None,
    ) -> None:
        """`folder` is for its certificate; `history` is needed for reads that are stale."""
        self.faults: Faults = NONE
        self.journal = Journal()
        self.on_request: Callable[[Target], None] = lambda _: None
        """Runs before a request is passed on."""
        self.killed: Write | None = None
        """The write at which the last kill happened."""
        self._upstream = urlsplit(server)
        self._upstream_tls = ssl.create_default_context(cafile=str(ca_file))
        self._folder = folder
        self._dice = Dice(seed)
        self._kill: Kill | None = None
        self._dying: int = 0
        self._fitting = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._serving = set[asyncio.Task[None] | None]()
        self._history = history
        self._shown = Shown()
        self._port = 0

    # -- what a test says

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    @property
    def ca_file(self) -> Path:
        return self._folder / "proxy" / "ca.crt"

    def kubeconfig(self, original: Path, name: str = "proxied") -> Path:
        """A copy of a kubeconfig with a token in it that leads through the proxy."""
        config = yaml.safe_load(original.read_text())
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        config["clusters"] = [{**each, "cluster": cluster} for each in config["clusters"]]
        path = self._folder / f"{name}.kubeconfig"
        path.write_text(json.dumps(config))
        return path

    def kill(
        self,
        pid: int,
        *,
        number: int,
        moment: Moment,
        which: Callable[[Write], bool] = lambda _: True,
    ) -> None:
        """Ends the process at the n-th write of these that counts from now on."""
        self.killed, self._dying, self._fitting = None, 0, 0
        self._kill = Kill(pid, number, moment, which)

    def spare(self) -> None:
        """Takes the order to kill back."""
        self._kill = None

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens, and every connection is broken."""
        self._call(self._leave())
        try:
            yield
        finally:
            self._call(self._listen())

    def break_connections(self) -> None:
        self._call(self._abort_all())

    # -- life

    def __enter__(self) -> Self:
        own = Authority(self._folder / "proxy").server("proxy", "IP:127.0.0.1")
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*own)
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def _run(self, ready: threading.Event) -> None:
        asyncio.run(self._live(ready))

    async def _live(self, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        ready.set()
        await self._stopping.wait()
        await self._leave()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _call(self, what: Any) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _listen(self) -> None:
        sock = socket.create_server(("127.0.0.1", self._port), backlog=512)
        self._port = sock.getsockname()[1]
        self._server = await asyncio.start_server(
            self._connection, sock=sock, ssl=self._tls, limit=HEAD_LIMIT
        )

    async def _leave(self) -> None:
        self._server.close()
        await self._abort_all()

    async def _abort_all(self) -> None:
        for writer in list(self._open):
            _break(writer)

    # -- one client

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that goes leaves nothing that holds the task, which still waits for what the API server says to a write.
        task = asyncio.current_task()
        self._serving.add(task)
        self._open.add(writer)
        upstream = _Upstream(self._upstream.hostname or "", self._upstream.port or 443)
        try:
            while (head := await read_head(reader)) is not None:
                request = Message(head, await read_body(reader, head))
                if _is_watch(request):
                    await self._watch(request, upstream, reader, writer)
                    break
                await self._serve(request, upstream, writer)
        except BrokenError:
            _break(writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            self._serving.discard(task)
            upstream.close()
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    async def _serve(
        self, request: Message, upstream: _Upstream, writer: asyncio.StreamWriter
    ) -> None:
        target = target_of(request.head)
        self._admit(target)
        await asyncio.sleep(self._dice.part(self.faults.latency))
        reply, last = await self._reply(request, target, upstream)
        writer.write(reply.render())
        await writer.drain()
        if last and self._kill is not None:
            self._dying = self._kill.pid
            self._loop.call_later(SETTLE, self._execute)

    def _admit(self, target: Target) -> None:
        """What a process asks after the write at which it is to die is asked by nobody."""
        self.journal.see(target)
        self.on_request(target)
        if self._dying and target.resource != "leases":
            self._execute()
            raise BrokenError

    async def _reply(
        self, request: Message, target: Target, upstream: _Upstream
    ) -> tuple[Message, bool]:
        """What the client gets to hear after whatever goes wrong, and whether it is the last that it hears."""
        method, faults = request.head.line.split(" ", 1)[0], self.faults
        refused = refusal(faults, method, target, self._dice)
        if refused is not None:
            return refused, False
        breaks = target.resource not in faults.spared and self._dice.falls(faults.resets)
        if breaks and self._dice.falls(0.5):
            raise BrokenError
        if method == "GET":
            reply, last = await self._read(request, target, upstream), False
            self._shown.see(reply.body)
        else:
            reply = await upstream.ask(request, self._upstream_tls)
            last = self._judge(self.journal.add(method, target, reply))
        if breaks:
            raise BrokenError
        return reply, last

    async def _watch(
        self,
        request: Message,
        upstream: _Upstream,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._admit(target_of(request.head))
        head = await upstream.begin(request, self._upstream_tls)
        if head.status != 200 or not head.chunked:
            writer.write(Message(head, await upstream.body(head)).render())
            await writer.drain()
            return
        gone = asyncio.create_task(_until_gone(reader, upstream))
        try:
            writer.write(head.render(("Transfer-Encoding", "chunked")))
            told = disturbed(lines(upstream.reader), lambda: self.faults, self._dice)
            async with contextlib.aclosing(told) as events:
                async for event in events:
                    self._shown.see(event)
                    writer.write(piece(event))
                    await writer.drain()
            writer.write(piece(b""))
            await writer.drain()
        finally:
            gone.cancel()

    # -- stale reads

    async def _read(self, request: Message, target: Target, upstream: _Upstream) -> Message:
        faults = self.faults
        version = self._history.before(faults.stale) if faults.stale and self._history else ""
        version = self._shown.limit(version)
        lags = target.resource in (faults.stale_resources or {target.resource})
        if lags and can_lag(target, version):
            listed = await upstream.ask(as_list(request, target, version), self._upstream_tls)
            if listed.head.status == 200:
                return from_list(listed, target)
        return await upstream.ask(request, self._upstream_tls)

    # -- kills

    def _judge(self, write: Write | None) -> bool:
        """Whether this is the write to die at, its reply delivered; dies at once if it is not to be."""
        order = self._kill
        if order is None or write is None or not write.number or not order.which(write):
            return False
        self._fitting += 1
        if self._fitting != order.number:
            return False
        self.killed = write
        if order.moment == "before":
            self._dying = order.pid
            self._execute()
            raise BrokenError
        return True

    def _execute(self) -> None:
        pid, self._dying, self._kill = self._dying, 0, None
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class _Upstream:
    """The connection to the API server that belongs to one of a client."""

    def __init__(self, host: str, port: int) -> None:
        self._place = host, port
        self._writer: asyncio.StreamWriter | None = None
        self.reader: asyncio.StreamReader

    async def ask(self, request: Message, tls: ssl.SSLContext) -> Message:
        head = await self.begin(request, tls)
        return Message(head, await self.body(head))

    async def begin(self, request: Message, tls: ssl.SSLContext) -> Head:
        if self._writer is None or self._writer.is_closing():
            self.reader, self._writer = await asyncio.open_connection(
                *self._place, ssl=tls, limit=HEAD_LIMIT
            )
        self._writer.write(request.render())
        await self._writer.drain()
        head = await read_head(self.reader)
        if head is None:
            raise EOFError
        return head

    async def body(self, head: Head) -> bytes:
        return await read_body(self.reader, head)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None


async def _until_gone(reader: asyncio.StreamReader, upstream: _Upstream) -> None:
    """A client that goes while nothing happens takes the upstream's half of the watch with it."""
    with contextlib.suppress(OSError):
        await reader.read(1)
    upstream.close()


def _is_watch(request: Message) -> bool:
    return target_of(request.head).query.get("watch") in ("true", "1")


def _break(writer: asyncio.StreamWriter) -> None:
    """The client gets a reset."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
