"""A client that reads a registry many times a second and keeps what went wrong."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_READERS = 4
PATH = "/api/v1/servers?limit=10"


class Client:
    """Several readers, each over a connection of its own for each read, as whoever balances load does it worst."""

    def __init__(self, url: str, rate: float) -> None:
        self._place = urlsplit(url).netloc
        self._pause = _READERS / rate
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read_on) for _ in range(_READERS)]
        self.reads = 0
        self.failures: list[str] = []
        self.began = time.monotonic()

    @property
    def rate(self) -> float:
        """Reads a second until now."""
        return self.reads / (time.monotonic() - self.began)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read_on(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += self._pause
            self._read()

    def _read(self) -> None:
        connection = http.client.HTTPConnection(self._place, timeout=10)
        try:
            connection.request("GET", PATH)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                self.failures.append(f"status {answer.status}")
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))
        finally:
            connection.close()
            self.reads += 1


@contextmanager
def reading(url: str, rate: float) -> Iterator[Client]:
    """Reads while the block runs."""
    client = Client(url, rate)
    client.start()
    try:
        yield client
    finally:
        client.end()
