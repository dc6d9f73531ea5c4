"""Both sides as processes: how they are started, what they use, and how they are asked."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import urlencode

import msgspec
from tests.peers.official import Official
from tests.peers.postgres import Postgres
from tests.peers.programs import READBENCH, document
from tests.peers.waiting import until
from tests.ports import free_port

ON_SERVER_CORE, ON_LOAD_CORE = ("taskset", "-c", "0"), ("taskset", "-c", "1")
DATABASE = "registry_bench"
"""The name that its own seeder insists on."""
REGISTRY = "official"
LOADING = 3600.0
"""Seconds that anything may take that reads everything."""
_TICKS = os.sysconf("SC_CLK_TCK")


class Side(Protocol):
    """A registry that answers at a port, and the processes that it consists of."""

    name: str
    port: int

    @property
    def pids(self) -> list[int]: ...

    def restart(self) -> float:
        """Seconds until a new process answers; what the old one had remembered is gone."""
        ...


class Theirs:
    """The official registry over PostgreSQL, both as they are shipped."""

    name = "official"

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        self._postgres = postgres
        self._log = folder / "official.log"
        self._running: Official | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.restart()
        return self

    def __exit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.__exit__()

    @property
    def pids(self) -> list[int]:
        assert self._running is not None
        return [self._running.pid, *family(self._postgres.pid)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def restart(self) -> float:
        if self._running is not None:
            self._running.__exit__()
        begun = time.perf_counter()
        fresh = Official(self._postgres, self._log, before=ON_SERVER_CORE, database=DATABASE)
        self._running = fresh.__enter__()
        self.port = fresh.port
        until(lambda: answers(self.port))
        return time.perf_counter() - begun


class Ours:
    """`thv serve` over a data folder."""

    name = "thv"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.restart()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)

    @property
    def pids(self) -> list[int]:
        assert self._process is not None
        return [self._process.pid]

    def load(self, *source: str) -> float:
        """Seconds until all entries of a source are a snapshot."""
        begun = time.perf_counter()
        timeout = ("--timeout", f"{LOADING:.0f}s")
        self._thv("registry", "add", REGISTRY, *source, *timeout)
        return time.perf_counter() - begun

    def restart(self) -> float:
        self.__exit__()
        begun = time.perf_counter()
        self.port = free_port()
        log = (self._folder / "thv.log").open("ab")
        serve = self._command("serve", "--registry", REGISTRY, "--port", str(self.port))
        with log:
            self._process = subprocess.Popen(serve, env=self._environ(), stdout=log, stderr=log)
        until(lambda: answers(self.port), LOADING)
        return time.perf_counter() - begun

    def _thv(self, *arguments: str) -> None:
        subprocess.run(
            self._command(*arguments), env=self._environ(), check=True, capture_output=True
        )

    def _command(self, *arguments: str) -> list[str]:
        thv = Path(sys.executable).with_name("thv")
        return [*ON_SERVER_CORE, str(thv), "--data", str(self._folder / "data"), *arguments]

    def _environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "THV_LISTEN_OPERATIONS": f"127.0.0.1:{free_port()}",
        }


def seeded(postgres: Postgres, rows: int) -> float:
    """Seconds in which its own seeder fills a database."""
    url = postgres.create(DATABASE)
    command = [str(READBENCH.find_or_build()), "-mode", "seed", "-db", url, "-namespaced"]
    fixture = ["-fixture", str(document("seed.json")), "-rows", str(rows)]
    begun = time.perf_counter()
    subprocess.run([*ON_SERVER_CORE, *command, *fixture], check=True, capture_output=True)
    return time.perf_counter() - begun


# ---------------------------------------------------------------- what they use


class Use(msgspec.Struct, frozen=True):
    """Of all processes of a side."""

    cpu: float
    """Seconds of processor time so far."""
    memory: float
    """Proportional megabytes: what processes share is divided among them."""


def use_of(side: Side) -> Use:
    pids = [pid for pid in side.pids if Path(f"/proc/{pid}").exists()]
    return Use(sum(map(_cpu, pids)), sum(map(_memory, pids)))


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _cpu(pid: int) -> float:
    """With that of children that have ended."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    return 0.0


def _memory(pid: int) -> float:
    with contextlib.suppress(OSError):
        found = re.search(
            r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE
        )
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


# ---------------------------------------------------------------- asking one by one


def answers(port: int) -> bool:
    """Whether it lists something."""
    try:
        return ask(port, "/v0.1/servers?limit=1")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def ask(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request on a connection of its own."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as line:
        return _asked(line, path)


def pages(side: Side, **query: Any) -> Iterator[tuple[str, list[Any]]]:
    """The pages of a list: the address of each, and its items."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", side.port, timeout=60)) as line:
        path = f"/v0.1/servers?{urlencode(query)}"
        while True:
            status, _, body = _asked(line, path)
            assert status == 200, (side.name, path, body)
            page = msgspec.json.decode(body)
            yield path, page["servers"]
            cursor = page["metadata"].get("nextCursor")
            if not cursor:
                return
            path = f"/v0.1/servers?{urlencode({**query, 'cursor': cursor})}"


def _asked(line: http.client.HTTPConnection, path: str) -> tuple[int, dict[str, str], bytes]:
    line.request("GET", path)
    answer = line.getresponse()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return answer.status, headers, answer.read()
