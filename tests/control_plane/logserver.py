"""Where a node hands out the logs of its containers; the API server asks there for `kubectl logs`.

Only what is asked for by most is offered: `follow` and `tailLines`. A follower is told the end when the pod is gone.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.control_plane.certificates import Authority
from tests.control_plane.connections import Connections

_LOOK = 0.05


class LogServer:
    """Answers `/containerLogs/<namespace>/<pod>/<container>`."""

    def __init__(
        self, folder: Path, certificates: Path, is_here: Callable[[str, str], bool]
    ) -> None:
        """`folder` holds the logs; `is_here` says whether a pod of a namespace still runs here."""
        self._folder = folder
        self._certificates = certificates
        self._is_here = is_here
        self._server: asyncio.Server | None = None
        self._connections = Connections()

    async def start(self) -> int:
        """The port."""
        pair = Authority(self._certificates).server("node", "IP:127.0.0.1")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        self._server = await asyncio.start_server(
            self._connections.served_by(self._answer), "127.0.0.1", 0, ssl=context
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._connections.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            target = urlsplit(head.split()[1])
            namespace, pod, container = target.path.split("/")[-3:]
            asked = {key: values[0] for key, values in parse_qs(target.query).items()}
            log = self._newest(namespace, pod, container)
            status = "200 OK" if log else "404 Not Found"
            writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode())
            if log:
                await self._tell(log, asked, writer, (namespace, pod))
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever asked has gone
        finally:
            writer.close()

    async def _tell(
        self, log: Path, asked: dict[str, str], writer: asyncio.StreamWriter, pod: tuple[str, str]
    ) -> None:
        with log.open("rb") as file:
            lines = file.readlines()
            writer.writelines(lines[-int(asked["tailLines"]) :] if "tailLines" in asked else lines)
            await writer.drain()
            while asked.get("follow") == "true" and self._is_here(*pod):
                writer.write(file.read())
                await writer.drain()
                await asyncio.sleep(_LOOK)

    def _newest(self, namespace: str, pod: str, container: str) -> Path | None:
        return max(self._runs(namespace, pod, container), default=(0, None))[1]

    def _runs(self, namespace: str, pod: str, container: str) -> Iterator[tuple[int, Path]]:
        for path in (self._folder / namespace / pod / container).glob("*.log"):
            yield int(path.stem), path
