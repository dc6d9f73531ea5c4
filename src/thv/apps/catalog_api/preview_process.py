"""The process that reads one source for whoever tries it: `python -m thv.apps.catalog_api.preview_process`.

In the flow: started by `preview_apart` for one request, which tells it on its input what to read and as whom. It is given no
credential but that of the caller and that of a proxy, and ends when it takes more than it may; the catalog goes on.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from thv import data
from thv.apps.catalog_api.preview_task import Failed, Outcome, Read, Task
from thv.apps.kit.engine import Engine, Places, Reach
from thv.apps.kit.outbound import allow_list
from thv.clients.git.limits import MIB
from thv.clients.git.limits import Limits as GitLimits
from thv.clients.kube.config import connect
from thv.domain.errors import Code, ThvError
from thv.domain.registry import load_registry
from thv.formats.taxonomy import load_taxonomy
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.stores.resources.kubernetes import KubernetesStore
from thv.sync.preview import preview

DENIED_HINT = "the setting THV_ALLOW of operator and catalog opens single hosts, as host:port"
_OWN_RIGHTS = (
    "A source is tried with your own rights, which do not let you read this. Ask for the right, or create the registry:"
    " a sync reads with the rights of the operator."
)
_MEMORY, _FILE = 112 * MIB, 128 * MIB
"""Bytes of data, here and in each git, and of one file."""
_SECONDS = 20
"""Of the processor."""
_GIT = GitLimits(disk=_FILE, total=_FILE // 2)
_POLITE = 10
"""Answers of the catalog come first."""


async def outcome_of(task: Task) -> Outcome:
    """Reads the source within the limits of the task, and this process's own."""
    store = KubernetesStore(connect(task.access, os.environ))
    engine = _engine(task, store)
    try:
        return Read(await preview(load_registry(task.manifest), engine.tools, task.limits))
    except ThvError as error:
        hint = _OWN_RIGHTS if error.code is Code.FORBIDDEN else error.hint
        return Failed(error.code, error.message, hint)
    finally:
        await engine.close()
        await store.close()


def _engine(task: Task, store: KubernetesStore) -> Engine:
    allow = allow_list(task.outbound.allow)
    reach = Reach(
        allow=lambda: allow,
        denied_hint=DENIED_HINT,
        proxy=task.outbound.proxy,
        trust=lambda: task.outbound.trust,
        git=_GIT,
    )
    return Engine(
        store,
        ConfigMapChunks(store),
        Places.below(Path(task.folder)),
        reach,
        taxonomy=load_taxonomy(data.read("taxonomy.json")),
        clock=lambda: datetime.now(UTC),
    )


def _bound() -> None:
    """What a source makes of being read ends this process, and no other one."""
    os.nice(_POLITE)
    for what, most in (
        (resource.RLIMIT_DATA, _MEMORY),
        (resource.RLIMIT_FSIZE, _FILE),
        (resource.RLIMIT_CPU, _SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


async def _ending(task: Task) -> Outcome:
    """Being told to end is being cancelled, so that git ends too."""
    here = asyncio.current_task()
    assert here is not None  # noqa: S101 # it runs
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, here.cancel)
    return await outcome_of(task)


def main() -> None:
    """Reads a task, writes its outcome."""
    _bound()
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    try:
        outcome = asyncio.run(_ending(task))
    except (MemoryError, asyncio.CancelledError) as error:
        sys.exit(f"a trial ends: {type(error).__name__}")
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
