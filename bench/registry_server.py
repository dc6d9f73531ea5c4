"""The two servers of the benchmark of the registry API, each a process of its own: ours and a bare one.

python -m bench.registry_server registry FOLDER PORT
python -m bench.registry_server floor FILE PORT
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import uvloop

from thv.apps.kit.http.serve import listening, server_of
from thv.apps.kit.memory import keep_buffers
from thv.apps.registry_api.door import Options, single
from thv.apps.registry_api.served import Served
from thv.domain.registry import load_registry
from thv.stores.models.cache import Cache
from thv.stores.models.pool import Pool

Answers: TypeAlias = dict[bytes, tuple[int, list[tuple[bytes, bytes]], bytes]]
"""Status, headers and body by path and query."""

NAMESPACE, NAME = "default", "bench"


def pin(core: int) -> None:
    """Runs on one core from now on, where there are several."""
    if core < (os.cpu_count() or 1):
        os.sched_setaffinity(0, {core})


class _Only:
    def __init__(self, served: Served) -> None:
        self._served = served

    def find(self, _namespace: str, _name: str) -> Served | None:
        return self._served


async def serve_registry(folder: Path, port: int) -> None:
    registry = load_registry(
        {
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "source": {"type": "url", "url": {"url": "https://example.com/r.json"}},
                "api": {"anonymousRead": True},
            },
        }
    )
    served = Served(registry, Pool(Cache(4 << 20)), folder, time.time)
    server = server_of(single(_Only(served), served.owner, Options(), time.time))
    await server.serve(sockets=[listening("127.0.0.1", port)])


async def serve_floor(answers: Answers, port: int) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        status, headers, body = answers[scope["raw_path"] + b"?" + scope["query_string"]]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    await server_of(app).serve(sockets=[listening("127.0.0.1", port)])


def main() -> None:
    kind, place, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    pin(0)
    keep_buffers()
    if kind == "registry":
        uvloop.run(serve_registry(place, port))
    else:
        answers = msgspec.msgpack.decode(place.read_bytes(), type=Answers)
        uvloop.run(serve_floor(answers, port))


if __name__ == "__main__":
    main()
