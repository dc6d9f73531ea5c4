"""What readers notice of a large sync in the same process.

    python -m bench.registry_sync [--rate 1000] [--entries 100000] [--seconds 10]

`thv serve` on one core serves 10,000 entries and is asked for servers, pages and searches at a fixed rate from the
other one: first alone, then while it synchronizes a registry of 100,000 entries from a file and builds its read model.
A latency counts from the moment at which its request was due. The figures alone tell what the machine adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from bench.registry_api import (
    ON_LOAD_CORE,
    SEED,
    THV,
    WORDS,
    Running,
    paced,
    walk,
    write_document,
)

BAR = 20.0
"""Milliseconds that 99 of 100 answers may take."""
SERVED = 10_000
STRETCH = 2.0
"""Seconds between two looks whether it is done."""
BASE = "/r/default/bench/api/v1/servers"
BIG = "/r/default/big/api/v1/info"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=1000, help="requests a second")
    parser.add_argument("--entries", type=int, default=100_000, help="that are synchronized")
    parser.add_argument("--seconds", type=float, default=10, help="of the look at it alone")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {int(ON_LOAD_CORE[-1])})
    with tempfile.TemporaryDirectory() as name:
        sys.exit(run(Path(name), arguments))


def run(work: Path, arguments: argparse.Namespace) -> int:
    data = work / "data"
    for name, count in (("bench", SERVED), ("big", arguments.entries)):
        write_document(work / f"{name}.json", argparse.Namespace(document="", entries=count))
    subprocess.run(added(data, work / "bench.json"), check=True, capture_output=True)
    with Running("folder", data) as server:
        paths = mixed(server)
        shown("alone", asyncio.run(paced(server.port, paths, arguments.rate, arguments.seconds)))
        began, used = time.perf_counter(), server.cpu()
        add = subprocess.Popen(added(data, work / "big.json"), stderr=subprocess.DEVNULL)
        during: list[float] = []
        while add.poll() is None or not is_served(server, arguments.entries):
            during += asyncio.run(paced(server.port, paths, arguments.rate, STRETCH))
        seconds, used = time.perf_counter() - began, server.cpu() - used
        p99 = shown(f"beside a sync of {arguments.entries:,}", sorted(during))
        resident, greatest = server.memory()
    print(f"the sync took {seconds:.1f} s, of which the process had a core for {used:.1f} s")
    print(f"memory {resident:.0f} ({greatest:.0f}) MB; p99 wanted: {BAR:g} ms")
    return int(p99 > BAR or add.returncode != 0)


def added(data: Path, document: Path) -> list[str]:
    """A command that adds a registry of a file and waits until it is there."""
    add = ["registry", "add", document.stem, "--file", str(document), "--timeout", "30m"]
    return [THV, "--data", str(data), *add, "--quiet"]


def mixed(server: Running) -> list[str]:
    """Of twenty requests sixteen for a server, three for a page of 100, one search."""
    pages = walk(server, f"{BASE}?limit=100", "next_cursor")
    names = [item["name"] for page in pages for item in json.loads(server.get(page)[2])["servers"]]
    rnd = random.Random(SEED)
    asked: list[str] = []
    for _ in range(500):
        asked += [f"{BASE}/{quote(rnd.choice(names), safe='')}" for _ in range(16)]
        asked += rnd.choices(pages, k=3)
        asked.append(f"{BASE}?limit=30&search={rnd.choice(WORDS)}%20{rnd.choice(WORDS)}")
    return asked


def is_served(server: Running, entries: int) -> bool:
    status, _, body = server.get(BIG)
    return status == 200 and f'"servers":{entries},' in body.decode()


def shown(title: str, latencies: list[float]) -> float:
    """Prints a row; the milliseconds that 99 of 100 took."""
    p50, p99 = (latencies[int(len(latencies) * share)] * 1000 for share in (0.5, 0.99))
    print(
        f"{title:30} {len(latencies):7d} answers, p50 {p50:.2f} ms, p99 {p99:.2f} ms, "
        f"worst {latencies[-1] * 1000:.1f} ms",
        flush=True,
    )
    return p99


if __name__ == "__main__":
    main()
