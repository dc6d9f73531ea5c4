"""Trials of sources in processes of their own, where the catalog is a pod that everybody asks.

In the flow: what C30 does on a cluster. The process that reads gets the token of the caller and how sources are reached; a
source that takes more than it may ends that process alone.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from thv.apps.catalog_api.preview_task import Failed, Outcome, Task
from thv.apps.catalog_api.previews import folder_for_now
from thv.apps.kit.authorization import Known
from thv.apps.kit.http.bearer import bearer_token
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.outbound import Outbound
from thv.clients.kube.config import Access
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.sync.preview import Limits, Preview

log = logging.getLogger(__name__)

_PROGRAM = "thv.apps.catalog_api.preview_process"
_BEGINNING = 15.0
"""Seconds that the process has beside those for the source: it may have to begin on a busy machine."""
_ENDING = 5.0
_OURS = "THV_"


class Apart:
    """Reads each source in a process that is there for it alone."""

    def __init__(
        self, access: Access, environ: Mapping[str, str], outbound: Callable[[], Outbound]
    ) -> None:
        """`access` says which cluster; `outbound` is asked for each trial, as files may be replaced."""
        self._access = access
        self._environ = {k: v for k, v in environ.items() if not k.startswith(_OURS)}
        self._outbound = outbound

    async def __call__(
        self, call: Call, _caller: Known, manifest: JsonObject, limits: Limits
    ) -> Preview:
        """With the token of the caller."""
        return await self.read(bearer_token(call.request) or "", manifest, limits)

    async def read(self, token: str, manifest: JsonObject, limits: Limits) -> Preview:
        """With this token, and no other one; raises what a sync would fail with."""
        with folder_for_now() as folder:
            task = Task(
                access=msgspec.structs.replace(self._access, user={"token": token}),
                outbound=self._outbound(),
                manifest=manifest,
                folder=str(folder),
                limits=limits,
            )
            outcome = await self._outcome(task)
        if isinstance(outcome, Failed):
            raise ThvError(outcome.code, outcome.message, hint=outcome.hint)
        return outcome.preview

    async def _outcome(self, task: Task) -> Outcome:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", _PROGRAM), stdin=pipe, stdout=pipe, env=self._environ
        )
        try:
            async with asyncio.timeout(task.limits.seconds + _BEGINNING):
                told, _ = await process.communicate(msgspec.json.encode(task))
        except TimeoutError as error:
            raise _too_much() from error
        finally:
            await _ended(process)
        if process.returncode or not told:
            log.warning("a trial of a source ended with %s", process.returncode)
            raise _too_much()
        outcome: Outcome = msgspec.json.decode(told, type=Outcome)
        return outcome


async def _ended(process: asyncio.subprocess.Process) -> None:
    """It is asked to end, so that what it started ends too; what does not is killed."""
    with suppress(ProcessLookupError):
        if process.returncode is None:
            process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(_ENDING):
                    await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


def _too_much() -> ThvError:
    return ThvError(
        Code.SIZE_LIMIT_EXCEEDED,
        "reading the source takes more time or memory than a trial may",
        hint="A sync may take more: create the registry, and see what comes of its first one.",
    )
