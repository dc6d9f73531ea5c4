"""Tells the person at the terminal what happens to registries while the process runs.

In the flow: beside the loop; it reads the status of registries and nothing else.
"""

from __future__ import annotations

from thv.apps.cli.console import Console
from thv.apps.cli.output import counted
from thv.apps.kit.loop import observed
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.registry import Registry, load_registry
from thv.domain.registry_status import SyncRun
from thv.domain.resources import MCP_REGISTRY, name_of, namespace_of
from thv.stores.resources.base import ResourceStore


class Reporter:
    """Says each change of a registry once."""

    def __init__(self, resources: ResourceStore, console: Console) -> None:
        self._resources = resources
        self._console = console
        self._said: dict[tuple[str, str], str] = {}

    async def run(self) -> None:
        """Goes on until it is cancelled; what is known when it begins is not said."""
        for obj in (await self._resources.list(MCP_REGISTRY)).items:
            self._said[namespace_of(obj), name_of(obj)] = _news(obj)[1]
        async for obj, gone in observed(self._resources, MCP_REGISTRY):
            self._say(obj, gone=gone)

    def _say(self, obj: JsonObject, *, gone: bool) -> None:
        key = (namespace_of(obj), name_of(obj))
        symbol, news = ("note", "removed") if gone else _news(obj)
        if news and news != self._said.get(key):
            self._console.step(symbol, f"{key[0]}/{key[1]}: {news}")
        self._said[key] = news


def _news(obj: JsonObject) -> tuple[str, str]:
    """What there is to say of a registry, with its symbol; the same until something changes."""
    try:
        registry = load_registry(obj)
    except ThvError as error:
        return "fail", error.message
    failure = registry.status.sync_status.error
    if failure is not None:
        return "fail", f"{failure.code}: {failure.message}"
    snapshot = registry.status.snapshot
    if snapshot is None:
        return "wait", ""
    return "ok", f"{counted(registry.status.server_count, 'server')}{_changes(registry)}"


def _changes(registry: Registry) -> str:
    runs = [run for run in registry.status.sync_status.history if run.added or _is_change(run)]
    if not runs:
        return ""
    last = max(runs, key=lambda run: run.finished_at)
    return f"  +{last.added} ~{last.changed} -{last.removed}"


def _is_change(run: SyncRun) -> bool:
    return bool(run.changed or run.removed)
