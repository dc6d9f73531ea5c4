"""An upstream for tests: a registry that speaks the official API over real HTTP, with faults on demand.

    with Upstream() as up:                       # its own thread and loop; 127.0.0.1, a free port
        up.corpus.publish("io.example/a", "1.0.0", description="...")
        up.fault(status(429, retry_after="1"), path="/v0.1/servers", after=2, times=1)
        up.file("/servers.json", b"...", etag='"a"')
        ...                                      # ask up.url
        assert up.seen("/v0.1/servers") ...

`Corpus` is the registry itself, without HTTP. Run as a program it serves a synthetic corpus:

    python -m tests.upstream --port 8123 --versions 230000 --latency 0.2

    POST /_admin/change {"count": 50}            new versions of so many names
    POST /_admin/delete {"count": 5}             the latest version of so many names becomes deleted
    POST /_admin/fault {"kind": "status", "status": 503, "times": 3, "after": 0, "path": "/v0.1/servers"}
    GET  /_admin/stats                           requests, pages, connections, bytes
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import re
import signal
import socket
import ssl
import struct
import threading
import time
import zlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

OFFICIAL = "io.modelcontextprotocol.registry/official"
Key = tuple[str, str]

# ---------------------------------------------------------------- the registry


class Row:
    """One version, as the registry's table holds it."""

    __slots__ = (
        "body",
        "changed",
        "latest",
        "message",
        "name",
        "published",
        "status",
        "updated",
        "version",
    )

    def __init__(self, name: str, version: str, moment: str, body: bytes | None = None) -> None:
        self.name = name
        self.version = version
        self.status = "active"
        self.message = ""
        self.published = self.updated = self.changed = moment
        self.latest = False
        self.body = body

    @property
    def key(self) -> Key:
        return self.name, self.version

    def render(self) -> bytes:
        """The item of a list; a synthetic server.json is written anew each time, never kept."""
        body = self.body or _synthetic(self.name, self.version)
        message = f'"statusMessage":{json.dumps(self.message)},' if self.message else ""
        meta = (
            f'"status":"{self.status}","statusChangedAt":"{self.changed}",{message}'
            f'"publishedAt":"{self.published}","updatedAt":"{self.updated}",'
            f'"isLatest":{"true" if self.latest else "false"}'
        )
        return b'{"server":%b,"_meta":{"%b":{%b}}}' % (body, OFFICIAL.encode(), meta.encode())


_TEMPLATE = (
    '{"$schema":"https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",'
    '"name":"%(name)s","description":"Synthetic server %(name)s, made for tests and benchmarks",'
    '"title":"Synthetic","version":"%(version)s","websiteUrl":"https://example.com/%(name)s",'
    '"repository":{"url":"https://github.com/%(name)s","source":"github"},'
    '"packages":[{"registryType":"npm",'
    '"identifier":"@synthetic/%(name)s","version":"%(version)s","runtimeHint":"npx","transport":{"type":"stdio"},'
    '"environmentVariables":[{"name":"API_KEY","description":"Key of the service that the server talks to",'
    '"isRequired":true,"isSecret":true,"format":"string"},'
    '{"name":"LOG_LEVEL","description":"How much is logged, from all that happens to warnings","default":"info","choices":["debug","info","warn"]}],'
    '"packageArguments":[{"type":"named","name":"--port","description":"Port to listen on","default":"8080"}]}],'
    '"remotes":[{"type":"streamable-http","url":"https://%(name)s.example.com/mcp"}]}'
)


def _synthetic(name: str, version: str) -> bytes:
    return (_TEMPLATE % {"name": name, "version": version}).encode()


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Corpus:
    """All versions of all names, in the order of the registry's database."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock = clock
        self.rows: dict[Key, Row] = {}
        self._order: list[Key] = []
        self._by_update: list[tuple[str, Key]] = []
        self.revision = 0

    @classmethod
    def synthetic(cls, versions: int, clock: Callable[[], datetime] | None = None) -> Corpus:
        """So many versions, some four a name; always the same ones."""
        corpus = cls(clock) if clock else cls()
        moment = stamp(datetime(2026, 1, 1, tzinfo=UTC))
        for number in range(versions):
            name = f"io.github.user{number // 4 % 977:03}/server-{number // 4:06}"
            row = Row(name, f"1.{number % 4}.0", moment)
            row.latest = number % 4 == 3 or number == versions - 1
            corpus.rows[row.key] = row
        corpus._order = sorted(corpus.rows)
        corpus._by_update = [(moment, key) for key in corpus._order]
        return corpus

    def publish(self, name: str, version: str = "1.0.0", **server: Any) -> Row:
        """A new version. Like the official code, flips the old latest without touching its updatedAt."""
        fields = {"name": name, "description": f"Server {name}", "version": version, **server}
        row = Row(name, version, stamp(self.clock()), json.dumps(fields).encode())
        self._insert(row)
        return row

    def delete(self, name: str, version: str, message: str = "") -> None:
        self.set_status(name, version, "deleted", message)

    def set_status(self, name: str, version: str, status: str, message: str = "") -> None:
        row = self.rows[name, version]
        row.status, row.message = status, message
        row.changed = stamp(self.clock())
        self._touch(row, row.changed)
        self._choose_latest(name)

    def forget(self, name: str, version: str) -> None:
        """Gone without a trace, which the official registry promises not to do."""
        row = self.rows.pop((name, version))
        self._order.remove(row.key)
        self._by_update.remove((row.updated, row.key))
        self._choose_latest(name)

    def change(self, count: int) -> list[Key]:
        """New versions of so many names, spread over the corpus."""
        names = sorted({name for name, _ in self._order})
        step = max(1, len(names) // max(1, count))
        changed = []
        for name in names[::step][:count]:
            row = Row(name, f"2.0.{self.revision}", stamp(self.clock()))
            self._insert(row)
            changed.append(row.key)
        return changed

    def versions(self, name: str, *, include_deleted: bool) -> list[Row]:
        start = bisect_left(self._order, (name, ""))
        rows = []
        for number in range(start, len(self._order)):
            key = self._order[number]
            if key[0] != name:
                break
            row = self.rows[key]
            if include_deleted or row.status != "deleted":
                rows.append(row)
        return sorted(rows, key=lambda row: row.published, reverse=True)

    def page(
        self,
        *,
        after: Key | None = None,
        limit: int = 30,
        version: str = "",
        updated_since: str = "",
        include_deleted: bool = False,
        search: str = "",
    ) -> list[Row]:
        """The next rows in order; what is full may have more behind it."""
        keys: Iterator[Key] = self._keys(after, updated_since)
        rows: list[Row] = []
        for key in keys:
            row = self.rows[key]
            if row.status == "deleted" and not include_deleted:
                continue
            if (version == "latest" and not row.latest) or version not in (
                "",
                "latest",
                row.version,
            ):
                continue
            if search and search.lower() not in row.name.lower():
                continue
            rows.append(row)
            if len(rows) == limit:
                break
        return rows

    def _keys(self, after: Key | None, updated_since: str) -> Iterator[Key]:
        if updated_since:
            since = bisect_right(self._by_update, (updated_since, ("\U0010ffff", "")))
            chosen = sorted(key for _, key in self._by_update[since:])
        else:
            chosen = self._order
        start = bisect_right(chosen, after) if after else 0
        return (chosen[number] for number in range(start, len(chosen)))

    def _insert(self, row: Row) -> None:
        if row.key in self.rows:
            raise ValueError(f"{row.key} is there already")
        self.rows[row.key] = row
        insort(self._order, row.key)
        insort(self._by_update, (row.updated, row.key))
        self._choose_latest(row.name)

    def _touch(self, row: Row, moment: str) -> None:
        del self._by_update[bisect_left(self._by_update, (row.updated, row.key))]
        row.updated = moment
        insort(self._by_update, (moment, row.key))

    def _choose_latest(self, name: str) -> None:
        self.revision += 1
        rows = self.versions(name, include_deleted=True)
        alive = [row for row in rows if row.status != "deleted"] or rows
        for row in rows:
            row.latest = False
        if alive:
            max(alive, key=_rank).latest = True


_SEMVER = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")


def _rank(row: Row) -> tuple[Any, ...]:
    found = _SEMVER.fullmatch(row.version)
    if found is None:
        return 0, row.published
    pre = [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in (found[4] or "").split(".") if p]
    return 1, int(found[1]), int(found[2]), int(found[3]), not pre, pre


# ---------------------------------------------------------------- requests, answers, faults


@dataclass(frozen=True)
class Seen:
    """One request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    @property
    def is_control(self) -> bool:
        return self.path.startswith("/_admin/")


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


Writer = asyncio.StreamWriter
Play = Callable[[Writer, Seen, Reply], Awaitable[Reply | None]]
"""What a fault does: gives another reply, or writes by itself and returns None, then the connection closes."""


@dataclass
class _Planned:
    play: Play
    path: str
    after: int
    times: int

    def wants(self, seen: Seen) -> bool:
        if self.times == 0 or seen.is_control or not seen.path.startswith(self.path):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


def status(code: int, body: bytes = b"{}", **headers: str) -> Play:
    """Another status; `retry_after="5"` becomes the header Retry-After."""

    async def play(_writer: Writer, _seen: Seen, _reply: Reply) -> Reply:
        return Reply(code, body, {"Content-Type": "application/json", **_named(headers)})

    return play


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): value for name, value in headers.items()}


def answer(body: bytes, **headers: str) -> Play:
    """200 with another body, such as broken JSON; `content_type=...`."""
    return status(200, body, **headers)


def reset() -> Play:
    """The connection breaks (RST) before any byte of the answer."""

    async def play(writer: Writer, _seen: Seen, _reply: Reply) -> None:
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return play


def stall() -> Play:
    """Nothing comes, until the client goes."""

    async def play(writer: Writer, _seen: Seen, _reply: Reply) -> None:
        await _until_gone(writer)

    return play


def drip(interval: float = 0.01) -> Play:
    """The body comes one byte at a time."""

    async def play(writer: Writer, _seen: Seen, reply: Reply) -> None:
        writer.write(_head(reply, len(reply.body)))
        for number in range(len(reply.body)):
            writer.write(reply.body[number : number + 1])
            await writer.drain()
            await asyncio.sleep(interval)

    return play


def truncated(kept: int = 20) -> Play:
    """The connection ends inside the body."""

    async def play(writer: Writer, _seen: Seen, reply: Reply) -> None:
        writer.write(_head(reply, len(reply.body)) + reply.body[:kept])
        await writer.drain()

    return play


def endless(piece: bytes = b" " * 65536, first: bytes = b"", **headers: str) -> Play:
    """A body without end, in chunks; `content_encoding="gzip"` becomes a header."""

    async def play(writer: Writer, _seen: Seen, reply: Reply) -> None:
        writer.write(_head(replace(reply, headers={**reply.headers, **_named(headers)}), None))
        data = first + piece
        while True:
            writer.write(b"%x\r\n%b\r\n" % (len(data), data))
            await writer.drain()
            data = piece

    return play


def endless_nothing() -> Play:
    """Packed bytes without end that unpack to nothing at all."""
    return endless(b"\0\0\0\xff\xff" * 10_000, gzip.compress(b"")[:10], content_encoding="gzip")


def bomb(size: int = 1024**3, encoding: str = "gzip") -> Play:
    """A small body that unpacks to `size` zeros."""

    async def play(_writer: Writer, _seen: Seen, _reply: Reply) -> Reply:
        return Reply(200, packed_zeros(size), {"Content-Encoding": encoding})

    return play


def packed_zeros(size: int) -> bytes:
    """So many zeros in gzip, 1 KB a MB; nobody is meant to get as far as the checksum, which is wrong."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(1024**2)) + packer.flush(zlib.Z_FULL_FLUSH)
    head = gzip.compress(b"")[:10]
    return head + block * (size // 1024**2) + packer.flush() + bytes(8)


def large_headers(size: int) -> Play:
    """An answer whose headers have so many bytes."""

    async def play(_writer: Writer, _seen: Seen, reply: Reply) -> Reply:
        filling = {f"X-{number}": "x" * 1000 for number in range(size // 1000)}
        return replace(reply, headers={**reply.headers, **filling})

    return play


def circle() -> Play:
    """Every page leads to itself."""

    async def play(_writer: Writer, _seen: Seen, reply: Reply) -> Reply:
        page = json.loads(reply.body)
        page["metadata"]["nextCursor"] = "round-and-round"
        return replace(reply, body=json.dumps(page).encode())

    return play


def other_cursors() -> Play:
    """The same page again and again, under a new cursor each time."""
    counter = iter(range(1_000_000))

    async def play(_writer: Writer, _seen: Seen, reply: Reply) -> Reply:
        page = json.loads(reply.body)
        page["metadata"]["nextCursor"] = f"a-{next(counter)}"
        return replace(reply, body=json.dumps(page).encode())

    return play


FAULTS: dict[str, Callable[..., Play]] = {
    "answer": answer,
    "bomb": bomb,
    "circle": circle,
    "drip": drip,
    "endless": endless,
    "endless_nothing": endless_nothing,
    "large_headers": large_headers,
    "other_cursors": other_cursors,
    "reset": reset,
    "stall": stall,
    "status": status,
    "truncated": truncated,
}


async def _until_gone(writer: Writer) -> None:
    while not writer.transport.is_closing():  # noqa: ASYNC110  # nobody tells about a client that left
        await asyncio.sleep(0.02)


def _head(reply: Reply, length: int | None) -> bytes:
    headers = dict(reply.headers)
    if length is None:
        headers["Transfer-Encoding"] = "chunked"
    elif reply.status not in (204, 304):
        headers["Content-Length"] = str(length)
    lines = [f"HTTP/1.1 {reply.status} .", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


# ---------------------------------------------------------------- the server


@dataclass
class File:
    """A static document."""

    body: bytes
    content_type: str = "application/json"
    etag: str = ""
    last_modified: str = ""
    packed: bool = False

    def reply(self, seen: Seen) -> Reply:
        headers = {"Content-Type": self.content_type}
        if self.etag:
            headers["ETag"] = self.etag
        if self.last_modified:
            headers["Last-Modified"] = self.last_modified
        if self._is_known(seen):
            return Reply(304, b"", headers)
        if self.packed and "gzip" in seen.headers.get("accept-encoding", ""):
            return Reply(200, gzip.compress(self.body), {**headers, "Content-Encoding": "gzip"})
        return Reply(200, self.body, headers)

    def _is_known(self, seen: Seen) -> bool:
        if self.etag and "if-none-match" in seen.headers:
            return seen.headers["if-none-match"] == self.etag
        since = seen.headers.get("if-modified-since")
        if not since or not self.last_modified:
            return False
        return parsedate_to_datetime(since) >= parsedate_to_datetime(self.last_modified)


class ProblemError(Exception):
    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.reply = Reply(
            code,
            json.dumps({"title": "x", "status": code, "detail": detail}).encode(),
            {"Content-Type": "application/problem+json"},
        )


class Upstream:
    """The server; a context manager for tests, `serve_forever` for the program."""

    def __init__(
        self,
        corpus: Corpus | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        generations: tuple[str, ...] = ("/v0.1", "/v0"),
        own: bool = False,
        base: str = "",
        latency: float = 0.0,
        packed: bool = False,
        etags: bool = False,
        rate: tuple[int, float] | None = None,
        needs: tuple[str, str] | None = None,
    ) -> None:
        """`own` adds our `/api/v1/servers`; `base` is a path before all; `rate` allows n requests in s seconds;
        `needs` is a header without which the answer is 401; `etags` on lists, for exactly one URL and content.
        """
        self.corpus = corpus if corpus is not None else Corpus()
        self.generations = generations
        self.own = own
        self.base = base
        self.latency = latency
        self.packed = packed
        self.etags = etags
        self.rate = rate
        self.needs = needs
        self.on_request: Callable[[Seen], None] | None = None
        """Runs before the answer to each request is made: publish, delete, and so on."""
        self.requests: list[Seen] = []
        self.connections = 0
        self.bytes_sent = 0
        self.refused = 0
        """Requests over the rate."""
        self._files: dict[str, File] = {}
        self._redirects: dict[str, Reply] = {}
        self._faults: list[_Planned] = []
        self._window: list[float] = []
        self._tls = tls
        self._host = host
        self._socket = socket.create_server((host, port), backlog=512)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._open: set[Writer] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}{self.base}"

    @property
    def place(self) -> str:
        """`host:port`, as an allow-list wants it."""
        return f"{self._host}:{self.port}"

    # -- what a test says

    def fault(self, play: Play, *, path: str = "", after: int = 0, times: int = 1) -> None:
        """The next `times` requests below `path` (-1: all) go wrong, `after` so many went well."""
        self._faults.append(_Planned(play, self.base + path if path else "", after, times))

    def heal(self) -> None:
        self._faults.clear()

    def file(self, path: str, body: bytes, **attributes: Any) -> None:
        self._files[self.base + path] = File(body, **attributes)

    def remove(self, path: str) -> None:
        self._files.pop(self.base + path, None)

    def redirect(self, path: str, location: str, code: int = 302) -> None:
        self._redirects[self.base + path] = Reply(code, b"", {"Location": location})

    def seen(self, path: str = "") -> list[Seen]:
        """The requests below a path."""
        return [seen for seen in self.requests if seen.path.startswith(self.base + path)]

    # -- life

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def _run(self, ready: threading.Event) -> None:
        asyncio.run(self.serve_forever(ready))

    async def serve_forever(self, ready: threading.Event | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._connection, sock=self._socket, ssl=self._tls)
        if ready:
            ready.set()
        else:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._loop.add_signal_handler(number, self._stopping.set)
        await self._stopping.wait()
        server.close()
        for writer in list(self._open):
            writer.transport.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            async for seen in _requests(reader):
                if not await self._respond(writer, seen):
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self._open.discard(writer)
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    async def _respond(self, writer: Writer, seen: Seen) -> bool:
        """False: the connection is over."""
        if not seen.is_control:
            self.requests.append(seen)
            if self.on_request:
                self.on_request(seen)
            if self.latency:
                await asyncio.sleep(self.latency)
        reply: Reply | None = self._reply(seen)
        assert reply is not None
        play = next((fault.play for fault in self._faults if fault.wants(seen)), None)
        if play:
            reply = await play(writer, seen, reply)
        if reply is None:
            return False
        data = self._dated(reply) + reply.body
        self.bytes_sent += len(data)
        writer.write(data)
        await writer.drain()
        return True

    def _dated(self, reply: Reply) -> bytes:
        date = formatdate(self.corpus.clock().timestamp(), usegmt=True)
        return _head(replace(reply, headers={"Date": date, **reply.headers}), len(reply.body))

    # -- answers

    def _reply(self, seen: Seen) -> Reply:
        try:
            return self._packed(seen, self._routed(seen))
        except ProblemError as problem:
            return problem.reply

    def _packed(self, seen: Seen, reply: Reply) -> Reply:
        if not self.packed or "Content-Encoding" in reply.headers or len(reply.body) < 1024:
            return reply
        if "gzip" not in seen.headers.get("accept-encoding", ""):
            return reply
        headers = {**reply.headers, "Content-Encoding": "gzip"}
        return replace(reply, body=gzip.compress(reply.body, 1), headers=headers)

    def _routed(self, seen: Seen) -> Reply:
        if seen.is_control:
            return self._admin(seen)
        self._require_rate()
        if self.needs and seen.headers.get(self.needs[0].lower()) != self.needs[1]:
            raise ProblemError(401, "who are you")
        if seen.path in self._redirects:
            return self._redirects[seen.path]
        if seen.path in self._files:
            return self._files[seen.path].reply(seen)
        path = seen.path.removeprefix(self.base)
        for generation in self.generations:
            if path == f"{generation}/servers":
                return self._listed(seen)
            if found := re.fullmatch(rf"{re.escape(generation)}/servers/([^/]+)/versions", path):
                return self._versions(seen, unquote(found[1]))
        if self.own and path == "/api/v1/servers":
            return self._own_list(seen)
        raise ProblemError(404, "Not Found")

    def _require_rate(self) -> None:
        if self.rate is None:
            return
        count, seconds = self.rate
        now = time.monotonic()
        self._window = [moment for moment in self._window if now - moment < seconds]
        if len(self._window) >= count:
            self.refused += 1
            problem = ProblemError(429, "slow down")
            wait = int(seconds - (now - self._window[0])) + 1
            problem.reply.headers["Retry-After"] = str(wait)
            raise problem
        self._window.append(now)

    def _listed(self, seen: Seen) -> Reply:
        query = seen.query
        limit = _limit(query.get("limit", "30"), 100)
        cursor = query.get("cursor", "")
        rows = self.corpus.page(
            after=_key(cursor) if cursor else None,
            limit=limit,
            version=query.get("version", ""),
            updated_since=_since(query),
            include_deleted=_includes_deleted(query),
            search=_search(query),
        )
        last = rows[-1] if len(rows) == limit else None
        following = f'"nextCursor":{json.dumps(f"{last.name}:{last.version}")},' if last else ""
        body = b'{"servers":[%b],"metadata":{%b"count":%d}}' % (
            b",".join([row.render() for row in rows]),
            following.encode(),
            len(rows),
        )
        return self._validated(seen, body)

    def _own_list(self, seen: Seen) -> Reply:
        """Ours: bound to one snapshot, with totals, in snake case."""
        if seen.query.get("format") != "upstream" or seen.query.get("version") != "all":
            raise ProblemError(400, "only format=upstream and version=all are known here")
        revision, _, place = seen.query.get("cursor", "").partition("|")
        if revision and revision != str(self.corpus.revision):
            raise ProblemError(410, "the cursor has expired")
        limit = _limit(seen.query.get("limit", "100"), 1000)
        rows = self.corpus.page(after=_key(place) if place else None, limit=limit)
        more = len(rows) == limit
        cursor = f"{self.corpus.revision}|{rows[-1].name}:{rows[-1].version}" if more else None
        total = sum(row.status != "deleted" for row in self.corpus.rows.values())
        metadata: dict[str, Any] = {"total_count": total, "filtered_count": total}
        if cursor:
            metadata["next_cursor"] = cursor
        items = b",".join([row.render() for row in rows])
        return self._validated(
            seen, b'{"servers":[%b],"metadata":%b}' % (items, json.dumps(metadata).encode())
        )

    def _versions(self, seen: Seen, name: str) -> Reply:
        rows = self.corpus.versions(
            name, include_deleted=seen.query.get("include_deleted") == "true"
        )
        if not rows:
            raise ProblemError(404, "Server not found")
        items = b",".join([row.render() for row in rows])
        return Reply(200, b'{"servers":[%b],"metadata":{"count":%d}}' % (items, len(rows)))

    def _validated(self, seen: Seen, body: bytes) -> Reply:
        reply = Reply(200, body)
        if self.etags:
            query = json.dumps(seen.query, sort_keys=True)
            etag = f'W/"{self.corpus.revision}-{zlib.crc32(f"{seen.path}{query}".encode()):08x}"'
            reply.headers["ETag"] = etag
            if seen.headers.get("if-none-match") == etag:
                return Reply(304, b"", {"ETag": etag})
        return reply

    def _admin(self, seen: Seen) -> Reply:
        asked = json.loads(seen.body or b"{}")
        answer_to: dict[str, Any] = {}
        match seen.path.removeprefix("/_admin/"):
            case "change":
                answer_to = {"changed": self.corpus.change(int(asked.get("count", 1)))}
            case "delete":
                latest = [
                    key
                    for key, row in self.corpus.rows.items()
                    if row.latest and row.status == "active"
                ]
                for key in sorted(latest)[: int(asked.get("count", 1))]:
                    self.corpus.delete(*key)
            case "fault":
                plan = {
                    name: asked.pop(name) for name in ("path", "after", "times") if name in asked
                }
                kind = FAULTS[asked.pop("kind")]
                self.fault(
                    kind(asked.pop("status"), **asked) if kind is status else kind(**asked), **plan
                )
            case "heal":
                self.heal()
            case "stats":
                pages = sum(seen.path.endswith("/servers") for seen in self.requests)
                answer_to = {
                    "requests": len(self.requests),
                    "pages": pages,
                    "connections": self.connections,
                    "bytes": self.bytes_sent,
                    "refused": self.refused,
                    "versions": len(self.corpus.rows),
                }
            case _:
                raise ProblemError(404, "no such control")
        return Reply(200, json.dumps(answer_to).encode())


async def _requests(reader: asyncio.StreamReader) -> AsyncIterator[Seen]:
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = first.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        if target.startswith("http://"):  # as a proxy is asked
            target = "/" + target.split("/", 3)[3]
        path, _, query = target.partition("?")
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        yield Seen(method, path, dict(parse_qsl(query, keep_blank_values=True)), headers, body)


def _key(cursor: str) -> Key:
    """`name:version` of the last row; what is none counts as a name."""
    name, _, version = cursor.partition(":")
    return name, version


def _limit(text: str, most: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ProblemError(422, f"expected number <= {most} and >= 1")
    return int(text)


def _search(query: dict[str, str]) -> str:
    text = query.get("search", "").strip()
    if text and len(text) < 3:
        raise ProblemError(422, "expected length >= 3")
    return text


def _since(query: dict[str, str]) -> str:
    if "updated_since" not in query:
        return ""
    try:
        return stamp(datetime.fromisoformat(query["updated_since"]))
    except ValueError:
        raise ProblemError(400, "invalid updated_since") from None


def _includes_deleted(query: dict[str, str]) -> bool:
    asked = query.get("include_deleted")
    if "updated_since" in query and asked == "false":
        raise ProblemError(400, "include_deleted=false contradicts updated_since")
    return asked == "true" or "updated_since" in query


# ---------------------------------------------------------------- the program


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.upstream")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--versions", type=int, default=10_000, help="of the synthetic corpus")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--packed", action="store_true", help="answer with gzip")
    parser.add_argument("--own", action="store_true", help="serve /api/v1/servers as well")
    parser.add_argument("--etags", action="store_true", help="validators on lists")
    parser.add_argument("--base", default="", help="a path before all others")
    parser.add_argument("--rate", type=int, default=0, help="requests a minute, 429 beyond")
    return parser.parse_args()


def main() -> None:
    asked = _arguments()
    upstream = Upstream(
        Corpus.synthetic(asked.versions),
        host=asked.host,
        port=asked.port,
        own=asked.own,
        base=asked.base,
        latency=asked.latency,
        packed=asked.packed,
        etags=asked.etags,
        rate=(asked.rate, 60.0) if asked.rate else None,
    )
    print(f"{asked.versions} versions at {upstream.url}", flush=True)
    asyncio.run(upstream.serve_forever())


if __name__ == "__main__":
    main()
