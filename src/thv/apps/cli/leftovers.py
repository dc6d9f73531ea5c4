"""Removes what registries leave in the data folder when they are gone.

In the flow: last in every command that deletes registries; a server does the same from time to time. Nothing here
can reach the network.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterable

from thv.apps.cli.session import Session
from thv.apps.cli.wiring import Local
from thv.domain.resources import MCP_REGISTRY, uid_of
from thv.stores.mirrors.sqlite import SqliteMirrors, SqliteSelections


async def clear_away(session: Session, gone: Iterable[tuple[str, str]]) -> None:
    """The content of these registries (namespace and name); while another process synchronizes, that one does it."""
    if session.settings.on_cluster:  # the operator does
        return
    local = session.local
    for namespace, name in gone:
        local.home.import_of(namespace, name).unlink(missing_ok=True)
    if not local.lock.acquire(f"thv (pid {os.getpid()})"):
        return
    mirrors, selections = SqliteMirrors(local.home.mirrors), SqliteSelections(local.home.selections)
    try:
        await sweep(local, mirrors, selections, await _mirrors_in_use(local, selections))
    finally:
        mirrors.close()
        selections.close()
        local.lock.release()


async def sweep(
    local: Local, mirrors: SqliteMirrors, selections: SqliteSelections, used: set[str] | None
) -> None:
    """Removes what registries that are gone left behind, and mirrors that are not `used`; None keeps all of them."""
    found = selections.uids() | local.chunks.uids() | local.home.model_uids()
    alive = {uid_of(obj) for obj in (await local.resources.list(MCP_REGISTRY)).items}
    if used is not None:
        mirrors.prune(used)
    for uid in found - alive:
        selections.forget(uid)
        await local.chunks.forget(uid)
        await asyncio.to_thread(shutil.rmtree, local.home.models / uid, ignore_errors=True)


def last_mirror(selections: SqliteSelections, uid: str) -> str:
    """The mirror that a registry used last, `""` when it was never synchronized."""
    if uid not in selections.uids():
        return ""
    with selections.using(uid) as selection:
        return selection.basis().mirror


async def _mirrors_in_use(local: Local, selections: SqliteSelections) -> set[str] | None:
    """The mirrors of the registries that stay; None while that of one of them is not known yet."""
    objects = (await local.resources.list(MCP_REGISTRY)).items
    used = {last_mirror(selections, uid_of(obj)) for obj in objects}
    return None if "" in used else used
