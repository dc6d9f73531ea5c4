"""How long a sync takes, how much memory and CPU, and how much it writes.

    python -m bench.sync [--only NAME ...] [--json FILE]

Each case begins with an empty data folder and a process of its own (`thv serve`). Times are from the
trigger, a manifest or an annotation, to the answer of the API. Without THV_REAL_DATA all content is synthetic.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from tests.git_server import git_host
from tests.upstream import Corpus

from bench.registry_api import made_items
from thv.apps.cli.wiring import Local
from thv.apps.kit.home import Home
from thv.domain.canonical import JsonObject
from thv.domain.resources import MCP_REGISTRY

NAME, NAMESPACE = "bench", "default"
WAIT = 90.0


# ---------------------------------------------------------------- processes


class Figures:
    """What /proc says of a process, and how it differs from an earlier look."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def peak(self) -> float:
        """MB of memory at most so far."""
        return self._memory("VmHWM")

    def resident(self) -> float:
        """MB of memory now."""
        return self._memory("VmRSS")

    def cpu(self) -> float:
        """Seconds of CPU so far, all threads."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def written(self) -> int:
        """Bytes handed to write calls so far, those of files and those of sockets."""
        lines = Path(f"/proc/{self._pid}/io").read_text().splitlines()
        return int(dict(line.split(": ") for line in lines)["wchar"])

    def _memory(self, key: str) -> float:
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


class Process:
    """A child that ends with its block."""

    def __init__(self, *words: str, **options: Any) -> None:
        self._child = subprocess.Popen([sys.executable, *words], **options)
        self.figures = Figures(self._child.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(20)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Upstream(Process):
    """The upstream of the tests as a process of its own."""

    def __init__(self, *words: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(
            "-m", "tests.upstream", "--port", str(port), *words, stdout=subprocess.DEVNULL
        )
        until(lambda: get(f"{self.url}/_admin/stats"), 120)

    def ask(self, what: str, **values: Any) -> JsonObject:
        return post(f"{self.url}/_admin/{what}", values)


class Server(Process):
    """The measured process over a data folder."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        thv = str(Path(sys.executable).with_name("thv"))
        words = (thv, "serve", "--data", str(folder), "--port", str(port))
        super().__init__(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: answers(f"{self.url}/healthz"), 20)

    def total(self, name: str = NAME) -> int:
        """How many servers the API lists; -1 while it has none of that name."""
        page = get(f"{self.url}/r/{NAMESPACE}/{name}/api/v1/servers?limit=1&version=all")
        return int(page["metadata"]["total_count"]) if page else -1


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def get(url: str) -> JsonObject | None:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)  # type: ignore[no-any-return]
    except OSError:
        return None


def post(url: str, value: JsonObject) -> JsonObject:
    asked = urllib.request.Request(url, json.dumps(value).encode(), method="POST")
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)  # type: ignore[no-any-return]


def until(condition: Callable[[], Any], seconds: float = WAIT, pause: float = 0.01) -> float:
    """Waits for it; how long it took."""
    begin = time.perf_counter()
    while not condition():
        if time.perf_counter() - begin > seconds:
            raise TimeoutError(f"nothing happened within {seconds} s")
        time.sleep(pause)
    return time.perf_counter() - begin


# ---------------------------------------------------------------- registries


def manifest(source: JsonObject) -> JsonObject:
    return {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "source": source,
            "syncPolicy": {"interval": "6h"},
            "api": {"anonymousRead": True},
        },
    }


def registry_source(url: str) -> JsonObject:
    return {"type": "registry", "registry": {"url": url, "versions": "all"}}


def url_source(url: str) -> JsonObject:
    return {"type": "url", "url": {"url": url}}


async def _with(folder: Path, act: Callable[[Local], Any]) -> Any:
    local = Local(home=Home(folder))
    try:
        return await act(local)
    finally:
        await local.close()


def apply(folder: Path, source: JsonObject) -> None:
    asyncio.run(
        _with(
            folder,
            lambda local: local.resources.apply(manifest(source), manager="bench", force=True),
        )
    )


def request_sync(folder: Path, mark: str) -> None:
    change = {"metadata": {"annotations": {"toolhive.stacklok.io/sync-requested-at": mark}}}
    asyncio.run(
        _with(
            folder,
            lambda local: local.resources.merge(
                MCP_REGISTRY, NAMESPACE, NAME, change, manager="bench"
            ),
        )
    )


def status(folder: Path) -> JsonObject:
    obj = asyncio.run(
        _with(folder, lambda local: local.resources.get(MCP_REGISTRY, NAMESPACE, NAME))
    )
    return obj.get("status", {})  # type: ignore[no-any-return]


def handled(folder: Path, mark: str) -> bool:
    return mark in str(status(folder).get("lastHandledSyncRequest", ""))


def synced(folder: Path, server: Server, source: JsonObject, count: int) -> float:
    """Adds a registry; seconds until the API lists so many."""
    begin = time.perf_counter()
    apply(folder, source)
    # Each look costs the measured process a millisecond.
    until(lambda: server.total() == count, pause=0.5 if count > 20_000 else count / 100_000)
    return time.perf_counter() - begin


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# ---------------------------------------------------------------- cases


Row = tuple[str, float, float | None, str]
"""What was measured, the value, the bar, the unit."""


@contextlib.contextmanager
def world() -> Iterator[tuple[Path, Path]]:
    """A data folder that may reach this machine, and a place for files."""
    with tempfile.TemporaryDirectory(prefix="thv-bench-") as root:
        data, files = Path(root) / "data", Path(root) / "files"
        files.mkdir()
        Home(data).make().allow_hosts(["127.0.0.1:*"])
        yield data, files


def document(count: int) -> bytes:
    """Entries with tools, tags and statistics, one and a half kilobytes each."""
    return json.dumps([item["server"] for item in made_items(count)]).encode()


def plain_document(count: int) -> bytes:
    """Entries as those of the official registry, 1.2 kilobytes each."""
    rows = Corpus.synthetic(count).page(limit=count)
    return b"[" + b",".join(row.render() for row in rows) + b"]"


def file_1000() -> list[Row]:
    with world() as (data, files), Server(data) as server:
        place = files / "registry.json"
        place.write_bytes(document(1000))
        taken = synced(data, server, {"type": "file", "file": {"path": str(place)}}, 1000)
    return [("file, 1,000 entries", taken, 1.0, "s")]


def url_of(
    count: int, first: float, second: float | None, what: str, content: Callable[[int], bytes]
) -> list[Row]:
    label = f"URL, {count:,} {what}"
    with world() as (data, files), served_files(files) as url, Server(data) as server:
        (files / "registry.json").write_bytes(content(count))
        taken = synced(data, server, url_source(f"{url}/registry.json"), count)
        rows: list[Row] = [(label, taken, first, "s")]
        if second is not None:
            begin = time.perf_counter()
            request_sync(data, "again")
            until(lambda: handled(data, "again"))
            rows.append((f"{label}, unchanged", time.perf_counter() - begin, second, "s"))
    return rows


@contextlib.contextmanager
def served_files(folder: Path) -> Iterator[str]:
    """A plain HTTP server over a folder, with the validators that every such server gives."""
    port = free_port()
    words = ("-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with Process(*words, **quiet):
        until(lambda: answers(f"http://127.0.0.1:{port}/"), 20)
        yield f"http://127.0.0.1:{port}"


def api_1000() -> list[Row]:
    slow = ("--versions", "1000", "--latency", "0.2")
    with world() as (data, _), Upstream(*slow) as up, Server(data) as server:
        taken = synced(data, server, registry_source(up.url), 1000)
    return [("official API, 1,000 versions, 200 ms a page", taken, 4.0, "s")]


def git_1000() -> list[Row]:
    with world() as (data, files), git_host(files) as host, Server(data) as server:
        host.repository("bench").commit({"registry.json": document(1000)})
        git = {"repository": host.url("bench"), "branch": "main", "path": "registry.json"}
        taken = synced(data, server, {"type": "git", "git": git}, 1000)
    return [("git, 1,000 entries", taken, 5.0, "s")]


def api_100k() -> list[Row]:
    return api_large(100_000)


def api_230k() -> list[Row]:
    return api_large(230_000)


def api_large(count: int) -> list[Row]:
    label = f"official API, {count:,} versions"
    with (
        world() as (data, _),
        Upstream("--versions", str(count)) as up,
        Server(data) as server,
    ):
        figures = server.figures
        cpu, written = figures.cpu(), figures.written()
        taken = synced(data, server, registry_source(up.url), count)
        until(lambda: status(data).get("phase") == "Ready", 60)
        full = figures.written() - written
        rows: list[Row] = [
            (f"{label}: time", taken, None, "s"),
            (f"{label}: CPU", figures.cpu() - cpu, 15.0 if count == 100_000 else None, "s"),
            (f"{label}: peak memory", figures.peak(), 100.0 if count == 100_000 else None, "MB"),
            (f"{label}: written", full / 1e6, None, "MB"),
            (f"{label}: data folder", folder_bytes(data) / 1e6, None, "MB"),
        ]
        time.sleep(1.0)
        before = int(up.ask("stats")["requests"])
        cpu, written = figures.cpu(), figures.written()
        up.ask("change", count=50)
        begin = time.perf_counter()
        request_sync(data, "changed")
        until(lambda: server.total() == count + 50)
        taken = time.perf_counter() - begin
        until(lambda: handled(data, "changed"))
        asked = int(up.ask("stats")["requests"]) - before
        share = (figures.written() - written) / full
        rows += [
            (f"{label}, 50 changed: time", taken, 2.0, "s"),
            (f"{label}, 50 changed: requests", asked, 3, ""),
            (f"{label}, 50 changed: written", share * 100, 5.0, "% of the full sync"),
            (f"{label}, 50 changed: CPU", figures.cpu() - cpu, None, "s"),
            (f"{label}, 50 changed: peak memory", figures.peak(), None, "MB"),
        ]
    return rows


CASES: dict[str, Callable[[], list[Row]]] = {
    "file": file_1000,
    "url": lambda: url_of(1000, 2.0, None, "rich entries", document),
    "api": api_1000,
    "git": git_1000,
    "url-10k": lambda: url_of(10_000, 3.0, 1.0, "entries", plain_document),
    "url-10k-rich": lambda: url_of(10_000, 3.0, 1.0, "rich entries", document),
    "api-100k": api_100k,
    "api-230k": api_230k,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sync")
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows: list[Row] = []
    for name in asked.only:
        for row in CASES[name]():
            rows.append(row)
            print(_line(row), flush=True)
    peaks = [value for what, value, _, _ in rows if what.endswith("versions: peak memory")]
    if len(peaks) == 2:
        rows.append(("memory of 230,000 over 100,000 versions", peaks[1] - peaks[0], 10.0, "MB"))
        print(_line(rows[-1]))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))
    missed = [row for row in rows if row[2] is not None and row[1] > row[2]]
    sys.exit(f"{len(missed)} above the bar" if missed else 0)


def _line(row: Row) -> str:
    what, value, bar, unit = row
    said = f"{what:<55} {value:10.2f} {unit}"
    return said if bar is None else f"{said}  (bar {bar:g}){'' if value <= bar else '  ABOVE'}"


if __name__ == "__main__":
    main()
