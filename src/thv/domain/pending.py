"""Registries that are being generated: marked from their first write to their last one.

In the flow: the catalog marks them, and completes them on the same request; the reconciler lets them be until then, and
takes away what nobody completed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from thv.domain.registry import Registry
from thv.domain.resources import PREFIX
from thv.domain.times import parse_time

PENDING = f"{PREFIX}generation-pending"
"""Annotation of a registry that is not whole yet; its value is the digest of the request."""
OF_REGISTRY = f"{PREFIX}generated-for"
"""Annotation of what was made with a registry: the uid of that one."""
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "toolhive-catalog"
"""Who wrote what is generated, as labels and owners of fields say it."""
REGISTRY_NAME = f"{PREFIX}registry-name"
PATIENCE = timedelta(minutes=10)
COMPLETABLE = timedelta(minutes=8)
"""Nobody completes one that is older: it might be taken away meanwhile."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def is_pending(registry: Registry) -> bool:
    """Whether it is not whole yet. One that was looked at before is, whatever somebody wrote on it since."""
    is_new = registry.status.observed_generation == 0
    return is_new and registry.annotations.get(PENDING, "") != "" and is_generated(registry)


def expires_at(registry: Registry) -> datetime:
    """When one that is pending is given up, unless somebody completes it."""
    return (parse_time(registry.created_at) or _LONG_AGO) + PATIENCE


def parts_of(registry: str) -> str:
    """Selects what was generated beside a registry of this name."""
    return f"{MANAGED_BY}={MANAGER},{REGISTRY_NAME}={registry}"


def is_generated(registry: Registry) -> bool:
    """Whether the catalog made it."""
    return registry.labels.get(MANAGED_BY) == MANAGER
