"""The process that the benchmark of the sync measures: engine and registry API over one data folder.

python -m bench.sync_server FOLDER PORT

Every `--profile FILE` writes what `cProfile` saw when the process is told to stop.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import signal
from collections.abc import Iterator
from pathlib import Path

import uvloop

from thv.apps.cli.engine import Engine, EngineSettings
from thv.apps.cli.wiring import Local
from thv.apps.kit.controllers import run_registries
from thv.apps.kit.home import Home
from thv.apps.kit.http.serve import listening, server_of
from thv.apps.kit.memory import keep_buffers
from thv.apps.registry_api.settings import Settings
from thv.apps.registry_api.wiring import registries


async def serve(folder: Path, port: int) -> None:
    """Synchronizes and serves until SIGTERM."""
    local = Local(home=Home(folder))
    engine = Engine(local, EngineSettings())
    door = registries(
        local.resources,
        local.chunks,
        local.home.models,
        taxonomy=local.taxonomy,
        settings=Settings(),
        clock=local.clock,
    )
    server = server_of(door.app)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _stop, server)
    tasks = [
        asyncio.ensure_future(door.follow()),
        asyncio.ensure_future(
            run_registries(local.resources, engine.reconciler.reconcile, local.clock)
        ),
    ]
    await server.serve(sockets=[listening("127.0.0.1", port)])
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await engine.close()
    await local.close()


def _stop(server: object) -> None:
    server.should_exit = True  # type: ignore[attr-defined] # uvicorn's own way


@contextlib.contextmanager
def _profiled(path: str) -> Iterator[None]:
    if not path:
        yield
        return
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        profile.dump_stats(path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sync_server")
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--profile", default="")
    asked = parser.parse_args()
    keep_buffers()
    with _profiled(asked.profile):
        uvloop.run(serve(asked.folder, asked.port))


if __name__ == "__main__":
    main()
