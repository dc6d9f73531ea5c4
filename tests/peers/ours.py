"""Our service as a follower of another registry: the installed program, one data folder, real syncs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.apps.standalone.process import Process, run
from tests.peers.official import Asking

DATA = ("--data", "data")
_OPEN = ("--allow-private-ip", "--allow-http")


class Follower:
    """`thv serve` over a data folder; registries are added and synchronized by commands beside it."""

    def __init__(self, folder: Path, process: Process) -> None:
        self._folder = folder
        self._clients: list[Asking] = []
        self.process = process

    def thv(self, *arguments: str) -> str:
        """What a command says that must succeed."""
        done = run(self._folder, *DATA, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def add(self, name: str, url: str, *more: str) -> Asking:
        """A client of a registry that reads the API at the URL; it has been read once."""
        self.thv("registry", "add", name, "--registry-url", url, "--interval", "24h", *more, *_OPEN)
        base = f"/r/default/{name}"
        self.process.until_served(f"{base}/v0.1/servers")
        self._clients.append(Asking(self.process.port, base))
        return self._clients[-1]

    def close(self) -> None:
        """Ends the connections of its clients."""
        for client in self._clients:
            client.close()

    def sync(self, *names: str) -> list[Any]:
        """The results of a sync of these registries."""
        found: list[Any] = json.loads(self.thv("registry", "sync", *names, "-o", "json"))["items"]
        return found


@contextmanager
def follower(folder: Path) -> Iterator[Follower]:
    """A service without registries."""
    with Process(folder, *DATA, "serve", "--port", "0") as process:
        assert process.port
        service = Follower(folder, process)
        try:
            yield service
        finally:
            service.close()
