"""Names that tests invent, and listeners that tell whether anybody came."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Self

from thv.clients.http.errors import NameUnknownError

TLS = Path(__file__).parent / "tls"
CA = (TLS / "ca.pem").read_bytes()


class Names:
    """A resolver: what each name answers, one answer after the other, the last one for ever."""

    def __init__(self) -> None:
        self._answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []

    def say(self, name: str, *answers: Sequence[str] | str) -> None:
        self._answers[name] = [[a] if isinstance(a, str) else list(a) for a in answers]

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answers = self._answers.get(host)
        if not answers:
            raise NameUnknownError(f"the name {host} has no address")
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Tripwire:
    """A listener that nobody should reach."""

    def __init__(self, address: str, port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((address, port))
        self._socket.listen()
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]

    def visitors(self) -> int:
        """How many connections were made; the kernel accepts them for us."""
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self._socket.close()


@contextmanager
def tripwire(address: str, port: int = 0) -> Iterator[Tripwire]:
    wire = Tripwire(address, port)
    try:
        yield wire
        assert wire.visitors() == 0, f"somebody connected to {address}"
    finally:
        wire.close()


def serving(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / certificate)
    return context


class ForwardProxy:
    """An outbound proxy in the loop of the test; leads every name to loopback and remembers who asked for what."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.refuses = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port: int = server.sockets[0].getsockname()[1]
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        method, target, _ = head.split(" ", 2)
        self.asked.append(f"{method} {target}")
        if self.refuses:
            writer.write(b"HTTP/1.1 407 no\r\nContent-Length: 0\r\n\r\n")
        elif method == "CONNECT":
            await self._tunnel(reader, writer, int(target.rpartition(":")[2]))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")
        writer.close()

    async def _tunnel(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_relay(reader, back), _relay(there, writer))


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()
