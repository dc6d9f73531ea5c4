"""What pages cost over everything that the official registry holds: size, time, memory, and how long a search takes.

    python -m bench.dashboard [--dump FILE] [--versions 228000] [--rounds 60] [--data FOLDER] [--processor]

`thv serve` over one registry that is grown from a dump of the official API (a JSON list of items; made entries without
one) until it has so many versions. Times are those of one client that asks for one page after the other over one
connection; searches differ each time, as those of somebody who types do, so that nothing is remembered. With
`--processor` they are processor time of the server, which says something on a busy machine, too. The round trip of a
search is measured in Chromium, from the last key until the list is another one, and has the 150 ms in it that the page
waits for a further key. `--data` keeps what was synchronized for the next run.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import msgspec
from playwright.sync_api import sync_playwright

from bench.catalog import pss, wait_for
from bench.registry_api import Running, made_items
from thv.apps.cli.wiring import Local
from thv.apps.kit.home import Home

SIZE_BAR = 60
"""KB of a page as it is sent."""
TIME_BAR = 80
"""Milliseconds, 95 of 100 times."""
SEARCH_BAR = 300
"""Milliseconds from the last key to the list."""
MEMORY_BAR = 150
NAMES_TO_VERSIONS = 63_000 / 228_000
WORDS = (
    "postgres database", "github issues", "weather", "search the web", "files", "slack", "kubernetes cluster", "email",
    "calendar", "browser", "pdf", "image", "crypto price", "stock market", "notion", "jira", "translate", "maps",
    "documentation", "memory", "sql", "mongodb", "redis", "aws", "azure", "docker", "git", "youtube", "twitter", "news",
)  # fmt: skip
"""What people look for."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dump", default="")
    parser.add_argument("--versions", type=int, default=228_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--data", default="")
    parser.add_argument("--processor", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(arguments.data or name)
        work.mkdir(parents=True, exist_ok=True)
        sys.exit(0 if run(work, arguments) else 1)


def run(work: Path, arguments: argparse.Namespace) -> bool:
    home = work / "home"
    if not home.exists():
        asyncio.run(register(work, home, arguments))
    with Running("folder", home) as server:
        wait_for(lambda: total(server) > 0, seconds=1800)
        print(f"{total(server)} servers of {arguments.versions} versions")
        clock = processor_of(server.process.pid) if arguments.processor else time.perf_counter
        good = [judged(server, path, clock, arguments.rounds) for path in pages(server)]
        good.append(searched(server, clock, arguments.rounds))
        good.append(typed(server))
        resident = pss(server.process.pid)
        good.append(resident <= MEMORY_BAR)
        print(f"memory {resident:.0f} MB, {server.memory()[1]:.0f} at most (bar {MEMORY_BAR})")
    return all(good)


# ---------------------------------------------------------------- what is served


async def register(work: Path, home: Path, arguments: argparse.Namespace) -> None:
    file = work / "official.json"
    write(file, grown(read_items(arguments.dump), arguments.versions))
    local = Local(home=Home(home).make(), clock=lambda: datetime.now(UTC))
    manifest = {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": "official", "namespace": "default"},
        "spec": {"source": {"type": "file", "file": {"path": str(file.resolve())}}},
    }
    await local.resources.apply(manifest, manager="bench", force=True)


def read_items(dump: str) -> list[Any]:
    if not dump:
        return list(made_items(2000))
    found: list[Any] = json.loads(Path(dump).read_text("utf-8-sig"))
    return found


def grown(items: list[Any], versions: int) -> Iterator[Any]:
    """Every name again and again under other owners, with as many versions as a name has at the official registry."""
    latest = list({item["server"]["name"]: item for item in items}.values())
    names = round(versions * NAMES_TO_VERSIONS)
    for number in range(names):
        item = latest[number % len(latest)]
        owner, _, short = item["server"]["name"].partition("/")
        copy = number // len(latest)
        name = f"{owner}/{short}-{copy}" if copy else item["server"]["name"]
        count = (number + 1) * versions // names - number * versions // names
        for place in range(count):
            yield version_of(item, name, place, is_latest=place == count - 1)


def version_of(item: Any, name: str, place: int, *, is_latest: bool) -> Any:
    server = {**item["server"], "name": name, "version": f"1.{place}.0"}
    official = {
        "status": "active",
        "publishedAt": f"2026-10-{place % 28 + 1:02}T08:00:00Z",
        "updatedAt": f"2026-10-{place % 28 + 1:02}T08:00:00Z",
        "isLatest": is_latest,
    }
    return {"server": server, "_meta": {"io.modelcontextprotocol.registry/official": official}}


def write(file: Path, items: Iterator[Any]) -> None:
    with file.open("wb") as out:
        out.write(b'{"servers":[')
        for number, item in enumerate(items):
            out.write((b"," if number else b"") + msgspec.json.encode(item))
        out.write(b'],"metadata":{}}')


# ---------------------------------------------------------------- asking


class Client:
    """One connection of somebody who looks at pages."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str, **more: str) -> bytes:
        """The page as it is sent."""
        headers = {"Accept": "text/html", "Accept-Encoding": "gzip", **more}
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        return body


def total(server: Running) -> int:
    status, _, body = server.get("/api/v1/stats")
    count: int = json.loads(body)["servers"]["total"] if status == 200 else 0
    return count


def pages(server: Running) -> tuple[str, ...]:
    found = json.loads(server.get("/api/v1/mcp_servers?search=data&limit=1")[2])["servers"][0]
    name = found["name"].replace("/", "%2F")
    one = f"/servers/default/official/{name}"
    return ("/", "/servers", "/servers?transport=stdio&sort=-updated", one, "/tools", "/categories",
            "/registries", "/registries/default/official")  # fmt: skip


def judged(server: Running, path: str, clock: Callable[[], float], rounds: int) -> bool:
    """A page that is asked for again and again."""
    client = Client(server.port)
    began = clock()
    size = len(client.get(path)) / 1024
    first = (clock() - began) * 1000
    times = [timed(client, path, clock) for _ in range(rounds)]
    return said(path, size, first, times)


def searched(server: Running, clock: Callable[[], float], rounds: int) -> bool:
    """The part of the list that changes, for another search each time."""
    client = Client(server.port)
    paths = [f"/servers?search={quote_plus(words)}" for words in itertools.islice(typing(), rounds)]
    times = [timed(client, path, clock, **{"HX-Request": "true"}) for path in paths]
    size = max(len(client.get(path)) for path in paths) / 1024
    return said("/servers?search=...", size, times[0], times)


def typing() -> Iterator[str]:
    """What is asked for while somebody types: some letters, then the word, then the next one."""
    for length in (1, 2, 3, 5, 100):
        for words in WORDS:
            if length == 100 or len(words) > length + 1:
                yield words[:length]


def timed(client: Client, path: str, clock: Callable[[], float], **more: str) -> float:
    """Milliseconds."""
    began = clock()
    client.get(path, **more)
    return (clock() - began) * 1000


def said(path: str, size: float, first: float, times: list[float]) -> bool:
    times = sorted(times)
    p95 = times[int(len(times) * 0.95)]
    print(
        f"{path:60} {size:5.1f} KB (bar {SIZE_BAR}), first {first:6.1f} ms, then {statistics.median(times):6.1f}, "
        f"p95 {p95:6.1f} (bar {TIME_BAR})",
        flush=True,
    )
    return size <= SIZE_BAR and p95 <= TIME_BAR


def processor_of(pid: int) -> Callable[[], float]:
    """A clock that goes while the process works."""

    def now() -> float:
        tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in tasks) / 1e9

    return now


# ---------------------------------------------------------------- in a browser

_LISTEN = """() => {
  window.__taken = [];
  let typed = 0;
  document.getElementById("q").addEventListener("input", () => { typed = performance.now(); });
  document.addEventListener("htmx:after:swap", () => {
    requestAnimationFrame(() => window.__taken.push(performance.now() - typed));
  });
}"""


def typed(server: Running) -> bool:
    """From the last letter of a search until its list is painted."""
    taken = list[float]()
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/servers")
        page.evaluate(_LISTEN)
        for words in WORDS:
            page.locator("#q").fill(words[:-1])
            page.wait_for_timeout(600)
            page.evaluate("window.__taken.length = 0")
            page.locator("#q").press_sequentially(words[-1])
            page.wait_for_timeout(900)
            taken += page.evaluate("window.__taken")[-1:]
        browser.close()
    taken.sort()
    p95 = taken[int(len(taken) * 0.95)]
    print(
        f"search in a browser, {len(taken)} of {len(WORDS)}: {statistics.median(taken):.0f} ms, p95 {p95:.0f} "
        f"(bar {SEARCH_BAR})"
    )
    return len(taken) == len(WORDS) and p95 <= SEARCH_BAR


if __name__ == "__main__":
    main()
