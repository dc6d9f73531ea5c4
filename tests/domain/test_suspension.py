"""Suspended and resumed registries."""

from __future__ import annotations

from thv.domain.patches import merge_patch
from thv.domain.suspension import BECAUSE, switch

REGISTRY = {
    "metadata": {"name": "corp", "annotations": {"team": "platform"}},
    "spec": {"source": {"type": "url"}, "syncPolicy": {"interval": "5m"}},
}


def test_a_suspended_registry_keeps_everything_else_and_says_why() -> None:
    after = merge_patch(REGISTRY, switch(on=False, reason="moving house"))
    assert after["spec"]["syncPolicy"] == {"interval": "5m", "enabled": False}
    assert after["spec"]["source"] == {"type": "url"}
    assert after["metadata"]["annotations"] == {"team": "platform", BECAUSE: "moving house"}


def test_a_resumed_registry_no_longer_says_why() -> None:
    suspended = merge_patch(REGISTRY, switch(on=False, reason="moving house"))
    after = merge_patch(suspended, switch(on=True))
    assert after["spec"]["syncPolicy"] == {"interval": "5m", "enabled": True}
    assert after["metadata"]["annotations"] == {"team": "platform"}
    assert merge_patch(after, switch(on=True)) == after
