"""Tells news of registries as Events of the cluster.

In the flow: called by the reconciler before it writes a status. An Event has a name made of what it tells, so that
it is there once, however often it is told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry
from thv.domain.resources import EVENT, MCP_REGISTRY, PREFIX
from thv.stores.resources.base import ResourceStore
from thv.sync.news import News
from thv.sync.record import MANAGER

log = logging.getLogger(__name__)

CONTROLLER = PREFIX + "registry"


class Events:
    """Writes Events; one that cannot be written is logged and forgotten."""

    def __init__(self, store: ResourceStore, instance: str, clock: Callable[[], datetime]) -> None:
        """`instance` names this process."""
        self._store = store
        self._instance = instance[:128]
        self._clock = clock

    async def announce(self, registry: Registry, news: News) -> None:
        """Creates the Event, unless it is there."""
        now = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        event = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"namespace": registry.namespace, "name": news.name(registry)},
            "eventTime": now,
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "type": news.type,
            "reason": news.reason,
            "action": news.action,
            "note": news.note,
            "regarding": {
                "apiVersion": MCP_REGISTRY.api_version,
                "kind": MCP_REGISTRY.kind,
                "namespace": registry.namespace,
                "name": registry.name,
                "uid": registry.uid,
            },
        }
        try:
            await self._store.create(event, manager=MANAGER)
        except ThvError as error:
            if error.code is not Code.ALREADY_EXISTS:
                log.warning("event %s of %s: %s", news.reason, registry.name, error.message)
