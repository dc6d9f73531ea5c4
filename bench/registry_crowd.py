"""What a registry API still gives when more is asked of it than it has.

    python -m bench.registry_crowd [--seconds 6] [--entries 10000] [--idle 10000] [--slow 200]

`thv serve --registry-file` on one core, with access log, metrics and limits; pages of 100 by wrk. First the most that it
gives to 16 connections. Then the same beside a crowd: connections that say nothing, readers that ask for pages of 1000 and
read nothing, and five times as many wrk as before with 512 connections each. Then alone again. Shown are pages a second
of processor time of the server, answers that were refused, and memory.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.registry_api import ON_LOAD_CORE, Running, walk, write_document

GOODPUT_BAR = 0.8
MEMORY_BAR = 150
LUA = """
local paths = {}
function init(args)
  for line in io.lines("%s") do paths[#paths + 1] = wrk.format("GET", line, {["Host"] = "127.0.0.1"}) end
end
function request() return paths[math.random(#paths)] end
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--slow", type=int, default=200)
    parser.set_defaults(document="")
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as name:
        sys.exit(run(Path(name), arguments))


def run(work: Path, arguments: argparse.Namespace) -> int:
    document = work / "registry.json"
    write_document(document, arguments)
    with Running("registry", document) as server:
        pages = walk(server, "/api/v1/servers?limit=100", "next_cursor")
        (work / "paths").write_text("\n".join(pages))
        (work / "load.lua").write_text(LUA % (work / "paths"))
        alone = shown("alone", server, [loaded(server, work, 16, arguments.seconds)], arguments)
        with crowd(server, idle=arguments.idle, slow=arguments.slow):
            shown("idle and slow", server, [loaded(server, work, 16, arguments.seconds)], arguments)
            many = [loaded(server, work, 512, arguments.seconds) for _ in range(5)]
            crowded = shown("five times", server, many, arguments)
            _, greatest = server.memory()
        time.sleep(5)
        after = shown("5 s later", server, [loaded(server, work, 16, arguments.seconds)], arguments)
    is_good = min(crowded, after) >= GOODPUT_BAR * alone and greatest <= MEMORY_BAR
    print(f"bars: {GOODPUT_BAR:.0%} of alone, {MEMORY_BAR} MB: {'met' if is_good else 'NOT MET'}")
    return 0 if is_good else 1


def loaded(server: Running, work: Path, connections: int, seconds: int) -> subprocess.Popen[str]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
    address = f"http://127.0.0.1:{server.port}"
    return subprocess.Popen(
        [*ON_LOAD_CORE, *command, "-s", str(work / "load.lua"), address],
        stdout=subprocess.PIPE,
        text=True,
    )


def shown(
    name: str, server: Running, loads: list[subprocess.Popen[str]], arguments: argparse.Namespace
) -> float:
    """Prints a line; the pages a second of processor time."""
    before = server.cpu()
    outputs = [load.communicate(timeout=arguments.seconds * 20)[0] for load in loads]
    used = server.cpu() - before
    total = sum(number(r"(\d+) requests in", each) for each in outputs)
    refused = sum(number(r"Non-2xx or 3xx responses: (\d+)", each) for each in outputs)
    broken = sum(
        sum(int(word) for word in re.findall(r"\d+", each))
        for output in outputs
        for each in re.findall(r"Socket errors: (.*)", output)
    )
    resident, greatest = server.memory()
    good = (total - refused) / used
    print(
        f"{name:14} {good:7.0f} pages/s of CPU  {refused:.0f} refused  {broken} broken  "
        f"{resident:.0f} ({greatest:.0f}) MB",
        flush=True,
    )
    return good


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return float(found[1]) if found else 0.0


@contextlib.contextmanager
def crowd(server: Running, *, idle: int, slow: int) -> Iterator[None]:
    """Clients that take and give nothing."""
    with contextlib.ExitStack() as stack:
        for count in range(idle + slow):
            client = stack.enter_context(socket.socket())
            # An address has some 28,000 ports for connections to one port; others may be in use.
            client.bind((f"127.0.{1 + count // 5000}.1", 0))
            client.connect(("127.0.0.1", server.port))
            if count >= idle:
                client.sendall(
                    b"GET /api/v1/servers?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 8
                )
        yield


if __name__ == "__main__":
    main()
