"""Everything at once, by chance: kills, closed watches, errors, stale reads, while owners go on working.

THV_FAULT_SECONDS says for how long. Half a minute after the last fault everything is as its owners want it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.control_plane.plane import ControlPlane
from tests.faults.kubernetes.cluster import LEADER, make_namespace, operator_kubeconfig
from tests.faults.kubernetes.faults import MOODS, NONE
from tests.faults.kubernetes.history import History, present_version
from tests.faults.kubernetes.operating import OperatorProcess, until
from tests.faults.kubernetes.picture import KINDS, strays
from tests.faults.kubernetes.proxy import FaultProxy
from tests.faults.kubernetes.scenario import GRACE, SHARED, World, document
from thv.domain.canonical import JsonObject
from thv.domain.resources import MCP_REGISTRY

SECONDS = float(os.environ.get("THV_FAULT_SECONDS", "20"))
SEED = int(os.environ.get("THV_SEED", "1"))
REGISTRIES = 12
SHAPES = ("", "", "dedicated", "shared")
HEALED = 30.0
"""Seconds after the last fault within which all is well."""
OWNED = ("services", "deployments", "serviceaccounts", "roles", "rolebindings", "networkpolicies")

pytestmark = pytest.mark.e2e


@dataclass
class Wanted:
    """What the owner of a registry last asked for."""

    names: list[str] = field(default_factory=lambda: ["a", "b"])
    excluded: bool = False
    api: str = ""
    """How its API is served: by pods of its own, by shared ones, or not at all."""

    @property
    def served(self) -> int:
        return len(self.names) - (self.excluded and "a" in self.names)


class Owners:
    """People who change their registries, and know what they want of each."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self.wanted: dict[str, Wanted] = {}
        self._chance = chance
        self._count = 0

    def act(self) -> None:
        """One change by somebody."""
        if len(self.wanted) < REGISTRIES:
            self._add()
            return
        name = self._chance.choice(sorted(self.wanted))
        self._chance.choice((self._edit, self._edit, self._filter, self._switch, self._remove))(
            name
        )

    def _add(self) -> None:
        self._count += 1
        name = f"r{self._count}"
        wanted = self.wanted[name] = Wanted(api=self._chance.choice(SHAPES))
        self.world.add(name, document("a", "b"), api_of(wanted))

    def _edit(self, name: str) -> None:
        self._count += 1
        wanted = self.wanted[name]
        wanted.names = [*wanted.names[-5:], f"s{self._count}"]

        def edit(content: JsonObject) -> None:
            content["data"] = {"registry.json": document(*wanted.names)}

        self.world.change("configmaps", f"{name}-servers", edit)

    def _filter(self, name: str) -> None:
        wanted = self.wanted[name]
        wanted.excluded = not wanted.excluded
        names = ["io.example/a"] if wanted.excluded else ["io.example/none"]

        def edit(obj: JsonObject) -> None:
            obj["spec"]["filter"] = {"exclude": {"names": names}}

        self.world.change(MCP_REGISTRY.plural, name, edit)

    def _switch(self, name: str) -> None:
        wanted = self.wanted[name]
        wanted.api = self._chance.choice(SHAPES)

        def edit(obj: JsonObject) -> None:
            obj["spec"]["api"] = api_of(wanted)

        self.world.change(MCP_REGISTRY.plural, name, edit)

    def _remove(self, name: str) -> None:
        del self.wanted[name]
        self.world.remove(name)

    def unhappy(self) -> list[str]:
        """What is not as somebody wants it."""
        world = self.world
        said = [
            name
            for name, wanted in self.wanted.items()
            if not world.is_settled(name, wanted.served)
        ]
        said += [
            name
            for name, wanted in self.wanted.items()
            if not wanted.api and not ready(world, name)
        ]
        return [
            *said,
            *not_right(world, self.wanted),
            *sorted(strays(world.plane, world.namespace)),
        ]

    def complaints(self) -> str:
        """What is not right, in all length."""
        said = [f"{what}" for what in self.unhappy()]
        for name in sorted(self.wanted.keys() & set(said)):
            obj = self.world.registry(name)
            del obj["metadata"]["managedFields"]
            said.append(f"{name}: {self.wanted[name]}\n{json.dumps(obj)}")
        return "\n".join(said)


def ready(world: World, name: str) -> bool:
    conditions = world.registry(name).get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def not_right(world: World, wanted: dict[str, Wanted]) -> list[str]:
    """Objects of APIs that nobody wants, and those that somebody misses."""
    found = []
    for plural in OWNED:
        path = f"{KINDS[plural]}/namespaces/{world.namespace}/{plural}"
        items = world.plane.request("GET", path)["items"]
        names = {item["metadata"]["name"] for item in items} - {"default", LEADER}
        found += [f"{plural}/{name}" for name in sorted(names ^ right(plural, wanted))]
    bound = set(world.subjects()) ^ right("serviceaccounts", wanted)
    return [*found, *(f"subject {name}" for name in sorted(bound))]


def right(plural: str, wanted: dict[str, Wanted]) -> set[str]:
    """The names that objects of this kind should have."""
    own = {f"{name}-api" for name, each in wanted.items() if each.api == "dedicated"}
    shared = {f"{name}-api" for name, each in wanted.items() if each.api == "shared"}
    common = {SHARED} if shared and plural != "services" else set()
    return own | common | (shared if plural in {"services", "roles", "rolebindings"} else set())


def api_of(wanted: Wanted) -> JsonObject:
    return {"mode": wanted.api} if wanted.api else {"enabled": False}


@pytest.mark.requirement("SYN-02")
def test_after_many_faults_everything_is_as_its_owners_want_it(
    installed: ControlPlane, tmp_path: Path
) -> None:
    name = f"random-{os.getpid()}"
    make_namespace(installed, name)
    chance = random.Random(SEED)
    owners = Owners(World(installed, name), chance)
    history = History(lambda: present_version(installed))
    place = installed.url, installed.ca_file, tmp_path
    with contextlib.closing(history), FaultProxy(*place, seed=SEED, history=history) as proxy:
        operator = OperatorProcess(
            proxy.kubeconfig(operator_kubeconfig(installed)),
            tmp_path / "pod",
            namespace=name,
            most_starts=10_000,
            THV_NAMESPACES=name,
            THV_CHUNK_GRACE=GRACE,
        )
        with operator:
            kills = trouble(proxy, operator, owners, chance)
            proxy.faults = NONE
            operator.revive()
            try:
                took = until(
                    lambda: not owners.unhappy(), HEALED, "everybody to be happy", pause=0.5
                )
            except TimeoutError:
                pytest.fail(f"{owners.complaints()}\n{operator.said()[-3000:]}")
    print(
        f"\n{kills} kills and {operator.starts - 1} starts in {SECONDS:.0f} s, well after {took:.1f} s"
    )
    installed.request("DELETE", f"/api/v1/namespaces/{name}")


def trouble(
    proxy: FaultProxy, operator: OperatorProcess, owners: Owners, chance: random.Random
) -> int:
    """Makes it until the time is over; how often the operator was killed."""
    kills, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        proxy.faults = MOODS[chance.choice(sorted(MOODS))]
        for _ in range(chance.randrange(1, 6)):
            owners.act()
            time.sleep(chance.random() * 0.5)
            operator.revive()
        if chance.random() < 0.5:
            operator.kill()
            kills += 1
        operator.revive()
    return kills
