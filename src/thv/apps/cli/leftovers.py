"""Removes what registries leave in the data folder when they are gone.

In the flow: last in every command that deletes registries; a server does the same from time to time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from thv.apps.cli.loader import load
from thv.apps.cli.session import Session


async def clear_away(session: Session, gone: Iterable[tuple[str, str]]) -> None:
    """The content of these registries (namespace and name); while another process synchronizes, that one does it."""
    local = session.local
    for namespace, name in gone:
        local.home.import_of(namespace, name).unlink(missing_ok=True)
    if not local.lock.acquire(f"thv (pid {os.getpid()})"):
        return
    engine = load("thv.apps.cli.engine:Engine")(local)
    try:
        await engine.sweep()
    finally:
        await engine.close()
        local.lock.release()
