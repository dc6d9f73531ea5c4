"""Who works: one operator at a time, another one soon after its end, and the same one after the API server was away."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.control_plane.fixtures import namespace_in
from tests.control_plane.plane import ControlPlane
from tests.faults.kubernetes.cluster import lease_in, operator_kubeconfig
from tests.faults.kubernetes.journal import Target
from tests.faults.kubernetes.operating import OperatorProcess, until
from tests.faults.kubernetes.picture import KINDS
from tests.faults.kubernetes.proxy import FaultProxy
from tests.faults.kubernetes.scenario import SHARED, World, document
from thv.domain.canonical import JsonObject

pytestmark = pytest.mark.e2e

TAKEOVER, RECOVERY = 20.0, 10.0
LEASE = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/toolhive-registry-operator"


class Candidate(NamedTuple):
    operator: OperatorProcess
    proxy: FaultProxy


class Office:
    """A namespace with a registry in it, and processes that stand for its lease."""

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path, stack: ExitStack) -> None:
        self.world = World(plane, namespace)
        self._folder = folder
        self._stack = stack
        self._count = 0
        self._candidates: dict[str, Candidate] = {}

    def candidate(self) -> Candidate:
        name = f"operator-{len(self._candidates)}"
        folder = self._folder / name
        folder.mkdir()
        plane, namespace = self.world.plane, self.world.namespace
        proxy = self._stack.enter_context(FaultProxy(plane.url, plane.ca_file, folder))
        kubeconfig = proxy.kubeconfig(operator_kubeconfig(plane))
        operator = OperatorProcess(
            kubeconfig, folder / "pod", namespace=namespace, name=name, THV_NAMESPACES=namespace
        )
        self._stack.enter_context(operator)
        self._candidates[name] = Candidate(operator, proxy)
        return self._candidates[name]

    def leader(self) -> Candidate:
        lease = self.world.plane.request("GET", LEASE.format(self.world.namespace))
        return self._candidates[lease["spec"]["holderIdentity"]]

    def edit(self) -> None:
        """Another server in the registry."""
        self._count += 1

        def edit(content: JsonObject) -> None:
            names = [f"s{number}" for number in range(self._count)]
            content["data"] = {"registry.json": document(*names)}

        self.world.change("configmaps", "corp-servers", edit)

    def served(self, seconds: float) -> float:
        """How long it takes until the last edit is."""
        return until(lambda: self.world.is_settled("corp", self._count), seconds, "the edit")


@pytest.fixture
def office(installed: ControlPlane, tmp_path: Path) -> Iterator[Office]:
    with namespace_in(installed) as namespace, ExitStack() as stack:
        lease_in(installed, namespace)
        opened = Office(installed, namespace, tmp_path, stack)
        opened.world.add("corp", document(), {"enabled": False})
        yield opened


def test_another_operator_is_at_work_soon_after_the_leader_was_killed(office: Office) -> None:
    office.candidate()
    office.edit()
    office.served(30)
    office.candidate()
    office.leader().operator.kill()
    office.edit()
    took = office.served(TAKEOVER)
    print(f"\nanother one was at work after {took:.1f} s")


def test_a_leader_that_slept_writes_nothing_once_another_one_leads(office: Office) -> None:
    sleeper = office.candidate()
    office.edit()
    office.served(30)
    office.candidate()
    os.kill(sleeper.operator.pid, signal.SIGSTOP)
    office.edit()
    office.served(TAKEOVER)
    before = sleeper.proxy.journal.counted
    os.kill(sleeper.operator.pid, signal.SIGCONT)
    office.edit()
    office.served(5)
    time.sleep(3)  # nothing is what is waited for
    assert sleeper.proxy.journal.counted == before
    assert sleeper.operator.alive


def test_an_api_server_that_was_away_for_longer_than_a_lease_finds_the_same_process_at_work(
    office: Office,
) -> None:
    candidate = office.candidate()
    office.edit()
    office.served(30)
    with candidate.proxy.away():
        office.edit()
        time.sleep(15)
    took = office.served(RECOVERY)
    assert candidate.operator.alive
    print(f"\nwell again after {took:.1f} s")


def test_a_registry_that_goes_while_an_operator_begins_leaves_nothing_behind(
    office: Office,
) -> None:
    """Between the looks that it begins with: the one that finds out what is left, and the one that watches follow."""
    candidate, world = office.candidate(), office.world
    world.add("shop", document("a"), {"mode": "shared"})
    until(lambda: world.is_settled("shop", 1), 30, "the registry")
    candidate.operator.kill()
    looks: list[Target] = []

    def remove(target: Target) -> None:
        if target.resource == "mcpregistries" and not target.name and "watch" not in target.query:
            looks.append(target)
            if len(looks) == 2:
                world.remove("shop")

    candidate.proxy.on_request = remove
    candidate.operator.start()
    until(lambda: not any(world.has(plural, SHARED) for plural in KINDS), 30, "the shared pods")
    assert len(looks) >= 2
