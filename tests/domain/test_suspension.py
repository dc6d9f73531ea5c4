"""Suspended and resumed registries."""

from __future__ import annotations

from thv.domain.suspension import BECAUSE, resumed, suspended

REGISTRY = {
    "metadata": {"name": "corp", "annotations": {"team": "platform"}},
    "spec": {"source": {"type": "url"}, "syncPolicy": {"interval": "5m"}},
}


def test_a_suspended_registry_keeps_everything_else_and_says_why() -> None:
    after = suspended(REGISTRY, "moving house")
    assert after["spec"]["syncPolicy"] == {"interval": "5m", "enabled": False}
    assert after["spec"]["source"] == {"type": "url"}
    assert after["metadata"]["annotations"] == {"team": "platform", BECAUSE: "moving house"}


def test_a_resumed_registry_no_longer_says_why() -> None:
    after = resumed(suspended(REGISTRY, "moving house"))
    assert after["spec"]["syncPolicy"] == {"interval": "5m", "enabled": True}
    assert after["metadata"]["annotations"] == {"team": "platform"}
    assert resumed(after) == after
