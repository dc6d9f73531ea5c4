"""What kubectl and kstatus say of live registries while they come, fail, are mended and go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.control_plane.plane import ControlPlane
from tests.faults.kubernetes.cluster import SYSTEM, operator_kubeconfig
from tests.faults.kubernetes.operating import OperatorProcess, until
from tests.poison.documents import good
from tests.poison.hand import Hand, config_map, registry
from tests.poison.kstatus import Reading, reading
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY

pytestmark = pytest.mark.e2e


@dataclass
class Owner:
    """Somebody with kubectl and one registry, `corp`."""

    hand: Hand
    plane: ControlPlane

    def waits(self, *words: str) -> bool:
        """Whether `kubectl wait` comes to its end."""
        place = ("-n", self.hand.namespace, "mcpreg/corp", "--timeout=20s")
        return self.plane.kubectl("wait", *words, *place).returncode == 0

    def reads(self, wanted: Reading) -> None:
        def holds() -> bool:
            obj = self.hand.get(MCP_REGISTRY, "corp")
            return obj is not None and reading(obj) is wanted

        until(holds, 20, f"the registry to read as {wanted}")

    def edit(self, text: str) -> None:
        said = self.hand.merge(CONFIG_MAP, "corp", {"data": {"registry.json": text}})
        assert said.accepted, said.body

    def change(self, **spec: object) -> None:
        said = self.hand.merge(MCP_REGISTRY, "corp", {"spec": spec})
        assert said.accepted, said.body


@pytest.fixture
def owner(poisoned: ControlPlane, tmp_path: Path) -> Iterator[Owner]:
    namespace = f"waiting-{os.getpid()}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    poisoned.request("POST", "/api/v1/namespaces", body)
    operator = OperatorProcess(
        operator_kubeconfig(poisoned), tmp_path, namespace=SYSTEM, THV_IMAGE="example.com/thv:1"
    )
    with Hand(poisoned.kubeconfig, namespace) as hand, operator:
        yield Owner(hand, poisoned)
    poisoned.request("DELETE", f"/api/v1/namespaces/{namespace}")


def test_whoever_waits_for_a_registry_learns_when_it_is_ready_and_when_it_never_will_be(
    owner: Owner,
) -> None:
    assert owner.hand.create(MCP_REGISTRY, registry("corp")).accepted
    owner.reads(Reading.IN_PROGRESS)  # there is no ConfigMap yet
    assert owner.waits("--for=condition=Ready=False")
    assert owner.waits("--for=condition=Reconciling")
    assert owner.hand.create(CONFIG_MAP, config_map("corp", good("a", "b"))).accepted
    assert owner.waits("--for=condition=Ready")
    assert owner.waits("--for=jsonpath={.status.phase}=Ready")
    assert owner.waits("--for=jsonpath={.status.serverCount}=2")
    assert owner.waits("--for=jsonpath={.status.observedGeneration}=1")
    owner.reads(Reading.CURRENT)
    owner.edit("<html>")
    owner.reads(Reading.IN_PROGRESS)
    assert owner.waits("--for=condition=Ready"), "what was good is served"
    assert owner.waits("--for=condition=DataValid=False")
    owner.edit(good("a"))
    owner.reads(Reading.CURRENT)
    assert owner.waits("--for=jsonpath={.status.serverCount}=1")
    owner.change(
        source={
            "type": "registry",
            "configMap": None,
            "registry": {"registryRef": {"name": "corp"}},
        }
    )
    owner.reads(Reading.FAILED)
    assert owner.waits("--for=condition=Stalled")
    assert owner.waits("--for=condition=Ready=False")
    owner.change(source={"type": "configmap", "registry": None, "configMap": {"name": "corp"}})
    owner.reads(Reading.CURRENT)
    assert owner.waits("--for=condition=Ready")
    owner.change(api={"enabled": True})
    owner.reads(Reading.IN_PROGRESS)  # no pod ever runs here
    assert owner.waits("--for=condition=APIReady=False")
    held = {"metadata": {"finalizers": ["example.com/mine"]}}
    assert owner.hand.merge(MCP_REGISTRY, "corp", held).accepted
    owner.hand.send("DELETE", owner.hand.path(MCP_REGISTRY, "corp"))
    owner.reads(Reading.TERMINATING)
    owner.hand.remove(MCP_REGISTRY, "corp")
    assert owner.waits("--for=delete")
