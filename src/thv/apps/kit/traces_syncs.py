"""Each sync as a trace.

In the flow: beside the figures of registries, where a process that synchronizes is told of a collector.
"""

from __future__ import annotations

from thv.apps.kit.traces import Tracer
from thv.domain.errors import ThvError
from thv.domain.registry import Registry
from thv.sync.flow import Outcome
from thv.sync.reconcile import Ended
from thv.sync.status import Attempted


def traced(ended: Ended, tracer: Tracer | None) -> Ended:
    """The same, and a span for each sync where there is a tracer."""
    if tracer is None:
        return ended

    def both(registry: Registry, attempt: Attempted, result: Outcome | ThvError) -> None:
        ended(registry, attempt, result)
        error = result.message if isinstance(result, ThvError) else ""
        about = _about(registry, attempt, result)
        tracer.happened("sync", attempt.began, attempt.ended, about, error=error)

    return both


def _about(
    registry: Registry, attempt: Attempted, result: Outcome | ThvError
) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "k8s.namespace.name": registry.namespace,
        "thv.registry": registry.name,
        "thv.source_type": registry.spec.source.type.value,
        "thv.trigger": attempt.trigger.value,
    }
    if isinstance(result, ThvError):
        return found | {"error.type": result.code.value}
    snapshot = result.snapshot
    return found | {"thv.snapshot": snapshot.digest, "thv.entries": snapshot.entries}
