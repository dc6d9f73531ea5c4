"""Several real processes on one file."""

from __future__ import annotations

import asyncio
import base64
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest

from tests.contracts.resource_store.objects import changes
from tests.stores.resources.stores import sqlite_in
from thv.domain.resources import CONFIG_MAP, SECRET
from thv.stores.resources.base import EventType

pytestmark = [pytest.mark.anyio, pytest.mark.flows]

_WRITER = """
import asyncio, sys
from pathlib import Path
from tests.contracts.resource_store.objects import a_config_map
from tests.stores.resources.stores import sqlite_in

async def main(folder, prefix, count):
    store = sqlite_in(Path(folder))
    for number in range(count):
        await store.create(a_config_map("team", f"{prefix}-{number}"), manager=prefix)
    await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""

_SECRET_WRITER = """
import asyncio, sys
from pathlib import Path
from tests.contracts.resource_store.objects import a_secret
from tests.stores.resources.stores import sqlite_in

async def main(folder):
    store = sqlite_in(Path(folder))
    number = 0
    while True:
        number += 1
        values = {"one": str(number), "two": str(number)}
        await store.apply(a_secret("team", stringData=values), manager="test")
        print(number, flush=True)

asyncio.run(main(sys.argv[1]))
"""

SECONDS_TO_NOTICE = 0.3


def _process(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True
    )


async def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    with ExitStack() as running:
        for prefix in ("a", "b", "c"):
            running.enter_context(_process(_WRITER, str(tmp_path), prefix, "60"))
        seen = await changes(store, CONFIG_MAP, None, "0", 180)
    assert [event.resource_version for event in seen] == [str(number) for number in range(1, 181)]
    assert {event.type for event in seen} == {EventType.ADDED}
    assert len((await store.list(CONFIG_MAP)).items) == 180
    await store.close()


async def test_watch_notices_a_foreign_process_at_once(tmp_path: Path) -> None:
    """The delay is the best of some tries: a busy machine may be late, a store that is too slow always is."""
    store = sqlite_in(tmp_path)
    delays: list[float] = []
    loop = asyncio.get_running_loop()
    for number in range(5):
        since = (await store.list(CONFIG_MAP)).resource_version
        async with anyio.create_task_group() as tasks:
            arrived: list[float] = []

            async def watch(since: str = since, arrived: list[float] = arrived) -> None:
                await changes(store, CONFIG_MAP, None, since, 1)
                arrived.append(loop.time())

            tasks.start_soon(watch)
            await anyio.lowlevel.checkpoint()
            with _process(_WRITER, str(tmp_path), f"w{number}", "1") as writer:
                await anyio.to_thread.run_sync(writer.wait)
                ended = loop.time()
        delays.append(arrived[0] - ended)
    assert min(delays) < SECONDS_TO_NOTICE
    await store.close()


@pytest.mark.parametrize("round_", range(6))
async def test_a_killed_writer_leaves_the_old_or_the_new_secret(
    tmp_path: Path, round_: int
) -> None:
    with _process(_SECRET_WRITER, str(tmp_path)) as writer:
        assert writer.stdout is not None
        for _ in range(5 + 3 * round_):
            said = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        for line in writer.stdout:
            said = int(line)
    store = sqlite_in(tmp_path)
    values = (await store.get(SECRET, "team", "token"))["data"]
    one, two = (int(base64.b64decode(values[key])) for key in ("one", "two"))
    assert one == two
    assert one in {said, said + 1}
    assert len(list((tmp_path / "secrets").iterdir())) == 1
    await store.close()
