"""A registry that is synchronized only when somebody asks for it, and why.

In the flow: the same change whoever makes it, a command or a page; the reconciler obeys `spec.syncPolicy.enabled` alone.
"""

from __future__ import annotations

from thv.domain.canonical import JsonObject
from thv.domain.resources import PREFIX

BECAUSE = f"{PREFIX}suspended-because"
"""The annotation with the reason, for people."""
REASON_LIMIT = 500


def switch(*, on: bool, reason: str = "") -> JsonObject:
    """Syncs at its interval or none of its own accord, as a merge patch."""
    return {
        "metadata": {"annotations": {BECAUSE: reason or None}},
        "spec": {"syncPolicy": {"enabled": on}},
    }
