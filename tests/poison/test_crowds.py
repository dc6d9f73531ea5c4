"""Many of one kind of poison at once: what is harmless alone must be so in a crowd."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.control_plane.plane import ControlPlane
from tests.faults.kubernetes.cluster import SYSTEM, operator_kubeconfig
from tests.faults.kubernetes.operating import OperatorProcess, until
from tests.poison.bystander import Bystander, share
from tests.poison.documents import LARGE, good
from tests.poison.hand import Hand, config_map, registry
from tests.poison.peak import Peak
from tests.poison.verdicts import conditions, is_observed
from thv.domain.canonical import JsonObject
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY

pytestmark = pytest.mark.e2e

MEMORY = 100.0
PATIENCE = 120.0
UNHEARD_OF = 15.0
"""Seconds for an edit that a busy machine never needs, and that waiting for a silent source exceeds."""


@dataclass
class Crowd:
    """A namespace with a bystander, and an operator that can begin again."""

    hand: Hand
    operator: OperatorProcess
    bystander: Bystander
    began: float
    """Edits count from then on."""

    def make(self, count: int, **spec: Any) -> None:
        names = [f"p{number}" for number in range(count)]
        for said in self.hand.at_once(
            lambda name: self.hand.create(MCP_REGISTRY, registry(name, **spec)), names
        ):
            assert said.accepted, said.body[:500]

    def feed(self, count: int, text: str, **metadata: Any) -> None:
        bodies = [config_map(f"p{number}", text, **metadata) for number in range(count)]
        for said in self.hand.at_once(lambda body: self.hand.create(CONFIG_MAP, body), bodies):
            assert said.accepted, said.body[:500]

    def until_told(self) -> float:
        return until(
            lambda: all(is_observed(obj) for obj in self.hand.registries()),
            PATIENCE,
            "a word about every registry",
            pause=0.5,
        )

    def ready(self) -> int:
        return sum(
            conditions(obj).get("Ready", {}).get("status") == "True"
            for obj in self.hand.registries()
        )


@contextmanager
def crowd(plane: ControlPlane, folder: Path, title: str, allow: str = "") -> Iterator[Crowd]:
    """Tells the figures, and that nothing broke."""
    namespace = f"crowd-{os.getpid()}-{time.monotonic_ns() % 10**6}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    plane.request("POST", "/api/v1/namespaces", body)
    operator = OperatorProcess(
        operator_kubeconfig(plane),
        folder,
        namespace=SYSTEM,
        THV_IMAGE="example.com/thv:1",
        THV_ALLOW=allow,
    )
    with (
        Hand(plane.kubeconfig, namespace) as hand,
        operator,
        Peak(lambda: operator.pid) as peak,
        Bystander(plane.kubeconfig, namespace, folder / "edits") as bystander,
    ):
        bystander.rest(5)
        it = Crowd(hand, operator, bystander, time.monotonic())
        yield it
        bystander.rest(5)
        beside = bystander.took(it.began)
        alive = operator.alive
    plane.request("DELETE", f"/api/v1/namespaces/{namespace}")
    said = operator.said()
    print(
        f"\n{title}: memory {peak.most:.0f} MB, edits beside p50 {share(beside, 0.5):.2f} s, longest {max(beside):.2f} s"
    )
    assert alive, said[-3000:]
    assert "unexpected failure" not in said, said[-3000:]
    assert peak.most < MEMORY


def many_labels(count: int) -> JsonObject:
    """Metadata of 250 bytes a label, managed fields included."""
    return {"labels": {f"example.com/{'l' * 50}{number}": "v" * 63 for number in range(count)}}


def test_large_metadata_of_others_is_listed_some_at_a_time(
    poisoned: ControlPlane, tmp_path: Path
) -> None:
    with crowd(poisoned, tmp_path, "large metadata") as it:
        it.operator.stop()
        it.feed(100, good("a"), **many_labels(4000))
        it.make(20)
        patch = {"metadata": many_labels(4000)}
        for number in range(20):
            assert it.hand.merge(MCP_REGISTRY, f"p{number}", patch).accepted
        it.operator.start()
        it.began = time.monotonic()
        it.until_told()
        assert it.ready() == 21


class Tarpit:
    """Takes every connection and never says a word."""

    def __enter__(self) -> str:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._socket.close()


@pytest.mark.parametrize("kind", ["url", "registry", "git"])
def test_sources_that_never_answer_delay_nobody(
    poisoned: ControlPlane, tmp_path: Path, kind: str
) -> None:
    with Tarpit() as place, crowd(poisoned, tmp_path, f"silent {kind}", place) as it:
        url = f"http://{place}/x"
        block = {"repository": url} if kind == "git" else {"url": url}
        it.make(20, source={"type": kind, kind: block})
        assert share(it.bystander.rest(20), 0.9) < UNHEARD_OF


def test_filters_of_the_largest_size_are_not_kept(poisoned: ControlPlane, tmp_path: Path) -> None:
    with crowd(poisoned, tmp_path, "large filters") as it:
        it.feed(60, good("a"))
        for number in range(60):
            names = [f"{number}{other}" + "?x" * 120 for other in range(200)]
            said = it.hand.create(
                MCP_REGISTRY, registry(f"p{number}", filter={"exclude": {"names": names}})
            )
            assert said.accepted, said.body
        it.until_told()
        assert it.ready() == 61


def test_yaml_that_takes_long_to_read_stops_nobody_else(
    poisoned: ControlPlane, tmp_path: Path
) -> None:
    text = msgspec.json.encode(
        {"servers": {"a": {"image": "a/b", "tools": ["t"] * (LARGE // 5)}}}
    ).decode()
    with crowd(poisoned, tmp_path, "long YAML") as it:
        bodies = [
            msgspec.json.encode(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": f"p{n}"},
                    "data": {"a.yaml": text},
                }
            )
            for n in range(10)
        ]
        for body in bodies:
            assert it.hand.create(CONFIG_MAP, body).accepted
        for n in range(10):
            source = {"type": "configmap", "configMap": {"name": f"p{n}", "key": "a.yaml"}}
            assert it.hand.create(MCP_REGISTRY, registry(f"p{n}", source=source)).accepted
        it.until_told()
