"""A registry that is synchronized only when somebody asks for it, and why.

In the flow: the same change whoever makes it, a command or a page; the reconciler obeys `spec.syncPolicy.enabled` alone.
"""

from __future__ import annotations

from thv.domain.canonical import JsonObject
from thv.domain.resources import PREFIX, annotations_of, metadata_of

BECAUSE = f"{PREFIX}suspended-because"
"""The annotation with the reason, for people."""
REASON_LIMIT = 500


def suspended(registry: JsonObject, reason: str = "") -> JsonObject:
    """The registry without syncs of its own accord."""
    return _switched(registry, on=False, reason=reason)


def resumed(registry: JsonObject) -> JsonObject:
    """The registry with syncs at its interval."""
    return _switched(registry, on=True, reason="")


def _switched(registry: JsonObject, *, on: bool, reason: str) -> JsonObject:
    annotations = {key: value for key, value in annotations_of(registry).items() if key != BECAUSE}
    if reason:
        annotations[BECAUSE] = reason
    spec = registry.get("spec") or {}
    policy = {**(spec.get("syncPolicy") or {}), "enabled": on}
    return {
        **registry,
        "metadata": {**metadata_of(registry), "annotations": annotations},
        "spec": {**spec, "syncPolicy": policy},
    }
