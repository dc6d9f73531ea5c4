"""Load, closed and open: as much as there is an answer to, and as much as the clock says.

Both run on the other core. A closed load is 16 connections of wrk, each of which asks again as soon as it is
answered. An open one begins requests at a fixed rate, whatever becomes of the earlier ones; a latency counts from the
moment at which its request was due, so that a server that stalls is charged with all who wait.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec

from bench.peers.sides import ON_LOAD_CORE, Side, Use, use_of

CONNECTIONS = 16
SEED = 20261121

_LUA = """
local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int pid, int number);")
local requests, asked, once = {}, 0, os.getenv("BENCH_ONCE") == "1"
function init(args)
  math.randomseed(tonumber(os.getenv("BENCH_SEED")))
  for line in io.lines(os.getenv("BENCH_PATHS")) do
    local path, tag = line:match("^(%S+)%s?(.*)$")
    local headers = {["Host"] = "127.0.0.1"}
    if tag ~= "" then headers["If-None-Match"] = tag end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end
function request()
  asked = asked + 1
  if not once then return requests[math.random(#requests)] end
  -- Ctrl-C is the one way to end wrk before its time with everything counted.
  if asked == #requests + 1 then ffi.C.kill(ffi.C.getpid(), 2) end
  return requests[math.min(asked, #requests)]
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\nSAID {"requests":%d,"microseconds":%d,"p50":%f,"p99":%f,"errors":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class Closed(msgspec.Struct, frozen=True):
    """What a closed load reached."""

    rate: float
    """Requests a second."""
    p50: float
    """Milliseconds."""
    p99: float
    by_cpu: float
    """Requests a second of processor time of the server: what counts where others use the core too."""
    memory: float
    """Megabytes of the server afterwards."""


class Open(msgspec.Struct, frozen=True):
    """What became of requests at a fixed rate."""

    rate: float
    p50: float
    p99: float
    worst: float
    answered: int


def closed(
    side: Side, lines: list[str], seconds: float, raw: Path, *, once: bool = False
) -> Closed:
    """`once` asks each line in turn and ends with the last one; else they are drawn at random."""
    raw.with_suffix(".paths").write_text("\n".join(lines))
    raw.with_suffix(".lua").write_text(_LUA)
    environ = {
        **os.environ,
        "BENCH_PATHS": str(raw.with_suffix(".paths")),
        "BENCH_SEED": str(SEED),
        "BENCH_ONCE": "1" if once else "0",
    }
    wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--timeout", "30s"]
    script = ["-s", str(raw.with_suffix(".lua")), f"http://127.0.0.1:{side.port}"]
    before = use_of(side)
    done = subprocess.run(
        [*ON_LOAD_CORE, *wrk, *script], env=environ, capture_output=True, text=True, check=True
    )
    after = use_of(side)
    raw.with_suffix(".txt").write_text(done.stdout)
    raw.with_suffix(".paths").unlink()
    raw.with_suffix(".lua").unlink()
    return _closed(json.loads(done.stdout.partition("SAID ")[2]), before, after)


def _closed(said: dict[str, Any], before: Use, after: Use) -> Closed:
    if said["errors"]:
        raise RuntimeError(f"{said['errors']} requests failed: {said}")
    return Closed(
        rate=said["requests"] / said["microseconds"] * 1e6,
        p50=said["p50"] / 1000,
        p99=said["p99"] / 1000,
        by_cpu=said["requests"] / max(after.cpu - before.cpu, 0.01),
        memory=after.memory,
    )


def opened(side: Side, paths: list[str], rate: float, seconds: float, raw: Path) -> Open:
    """The same paths in the same order for whoever is asked."""
    latencies = asyncio.run(_paced(side.port, paths, rate, seconds))
    raw.with_suffix(".json").write_text(json.dumps([round(each * 1000, 3) for each in latencies]))
    latencies.sort()
    return Open(
        rate=rate,
        p50=latencies[len(latencies) // 2] * 1000,
        p99=latencies[int(len(latencies) * 0.99)] * 1000,
        worst=latencies[-1] * 1000,
        answered=len(latencies),
    )


async def _paced(port: int, paths: list[str], rate: float, seconds: float) -> list[float]:
    due: asyncio.Queue[tuple[float, str]] = asyncio.Queue()
    latencies: list[float] = []
    workers = [asyncio.create_task(_connection(port, due, latencies)) for _ in range(CONNECTIONS)]
    start = time.perf_counter() + 0.1
    for number in range(int(rate * seconds)):
        at = start + number / rate
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        due.put_nowait((at, paths[number % len(paths)]))
    for _ in workers:
        due.put_nowait((0.0, ""))
    await asyncio.gather(*workers)
    return latencies


async def _connection(
    port: int, due: asyncio.Queue[tuple[float, str]], latencies: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    while (job := await due.get())[1]:
        at, path = job
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        await _read_answer(reader)
        latencies.append(time.perf_counter() - at)
    writer.close()


async def _read_answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(head.decode())
    if b"transfer-encoding: chunked" not in head:
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)
    await reader.readexactly(2)
