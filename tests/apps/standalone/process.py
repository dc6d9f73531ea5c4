"""The installed console script as a process, and what one asks it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

SCRIPT = Path(sys.executable).with_name("thv")
PATIENCE = 30.0
_PORT = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def environment(home: Path, **more: str) -> dict[str, str]:
    """A user with nothing of ours."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}


def run(home: Path, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        [str(SCRIPT), *argv],
        env=environment(home, **more),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Process:
    """A server; it is ended with its context."""

    def __init__(self, home: Path, *argv: str, **more: str) -> None:
        self._process = subprocess.Popen(
            [str(SCRIPT), *argv],
            env=environment(home, **more),
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        """The first address that it names."""
        found = self.until(lambda: _PORT.search(self.said))
        return int(found[1])

    def end(self, number: int = signal.SIGINT) -> int:
        """Its exit code after the signal."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        code = self._process.wait(PATIENCE)
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def until(self, look: Callable[[], Any]) -> Any:
        """What `look` sees as soon as it is something."""
        deadline = time.monotonic() + PATIENCE
        while not (seen := look()):
            assert time.monotonic() < deadline, f"nothing came; it said:\n{self.said}"
            assert self._process.poll() is None, f"it ended; it said:\n{self.said}"
            threading.Event().wait(0.02)
        return seen

    def get(self, path: str, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(
                "GET", path, headers={key.replace("_", "-"): v for key, v in headers.items()}
            )
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def until_served(self, path: str, **headers: str) -> Reply:
        """The answer once there is content."""

        def look() -> Reply | None:
            try:
                reply = self.get(path, **headers)
            except ConnectionRefusedError:
                return None
            return reply if reply.status == 200 else None

        found: Reply = self.until(look)
        return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said += line


def names(reply: Reply) -> list[str]:
    """The servers of a list of our own API."""
    return [server["name"] for server in reply.json["servers"]]
