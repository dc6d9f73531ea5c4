"""Ten thousand things that nobody should write, to the operator as it is shipped: it goes on, and says what is wrong.

THV_CASES gives the number of cases, or `all`; THV_SEED other ones, THV_ONLY single ones by their numbers.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.control_plane.plane import ControlPlane
from tests.faults.kubernetes.cluster import SYSTEM, operator_kubeconfig
from tests.faults.kubernetes.operating import OperatorProcess, until
from tests.poison.bystander import Bystander, share
from tests.poison.cases import SEED, SHARED_CONTENT, Poison, harmless, poison
from tests.poison.documents import good
from tests.poison.hand import Hand, config_map
from tests.poison.peak import Peak
from tests.poison.verdicts import is_leaving, is_observed, summary, wrong
from thv.domain.canonical import JsonObject
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY

ALL = 10_000
ASKED = os.environ.get("THV_CASES", "150")
ONLY = [int(number) for number in os.environ.get("THV_ONLY", "").split(",") if number]
NUMBERS = ONLY or range(ALL if ASKED == "all" else int(ASKED))
COUNT = len(NUMBERS)
CHOSEN_SEED = int(os.environ.get("THV_SEED", SEED))
TOGETHER = 50
"""Cases that are there at the same time."""
PATIENCE = float(os.environ.get("THV_PATIENCE", "60"))
MEMORY = 100.0
NOISE = 2.0
"""Seconds by which an edit beside poison may take longer than beside as many good registries; machines are busy."""
HARMLESS = max(2 * TOGETHER, COUNT // 20)

pytestmark = pytest.mark.e2e


@dataclass
class Tally:
    """What became of the cases."""

    refused: Counter[int] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def accepted(self) -> int:
        return sum(self.told.values())


def test_whatever_is_written_the_operator_goes_on_and_says_what_is_wrong(
    poisoned: ControlPlane, tmp_path: Path
) -> None:
    namespace = f"poison-{os.getpid()}"
    _make(poisoned, namespace)
    tally = Tally()
    operator = OperatorProcess(
        operator_kubeconfig(poisoned), tmp_path, namespace=SYSTEM, THV_IMAGE="example.com/thv:1"
    )
    kubeconfig = poisoned.kubeconfig
    with (
        Hand(kubeconfig, namespace) as hand,
        operator,
        Peak(lambda: operator.pid) as peak,
        Bystander(kubeconfig, namespace, tmp_path / "edits") as bystander,
    ):
        hand.create(CONFIG_MAP, config_map(SHARED_CONTENT, good("a", "b")))
        alone, before = bystander.rest(30), peak.now()
        began = time.monotonic()
        for numbers in _batches(range(HARMLESS)):
            judge(hand, [harmless(number) for number in numbers], Tally(), operator)
        among_good = bystander.took(began)
        began = time.monotonic()
        for numbers in _batches(NUMBERS):
            judge(hand, [poison(number, seed=CHOSEN_SEED) for number in numbers], tally, operator)
        among_bad = bystander.took(began)
        bystander.rest(3)
        after = peak.now()
    print(
        f"\n{COUNT} cases: {tally.accepted} accepted, refused {dict(tally.refused)}, slowest {tally.slowest:.1f} s"
        f"\n{dict(tally.told.most_common())}"
        f"\nedits: alone {_figures(alone)}; beside good ones {_figures(among_good)}; beside poison {_figures(among_bad)}"
        f"\nmemory at most {peak.most:.0f} MB, before {before:.0f} MB, after {after:.0f} MB"
    )
    poisoned.request("DELETE", f"/api/v1/namespaces/{namespace}")
    said = operator.said()
    assert not tally.complaints, "\n".join(tally.complaints[:50])
    assert "unexpected failure" not in said, said[-3000:]
    assert "Traceback" not in said, said[-3000:]
    assert operator.starts == 1
    assert ONLY or tally.accepted > COUNT // 5
    assert peak.most < MEMORY
    assert share(among_bad, 0.99) < share(among_good, 0.99) * 1.2 + NOISE


def _make(plane: ControlPlane, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    plane.request("POST", "/api/v1/namespaces", body)


def _batches(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(numbers), TOGETHER):
        yield numbers[first : first + TOGETHER]


def _figures(values: list[float]) -> str:
    return f"p50 {share(values, 0.5):.2f} s, p99 {share(values, 0.99):.2f} s of {len(values)}"


# ---------------------------------------------------------------- one batch


def judge(hand: Hand, cases: list[Poison], tally: Tally, operator: OperatorProcess) -> None:
    """Applies the cases, waits until the operator has something to say of each, and takes them away."""
    said = hand.at_once(lambda case: _applied(hand, case), cases)
    tally.refused.update(status for status in said if status >= 300)
    waiting = {case.name: case for case, status in zip(cases, said, strict=True) if status < 300}
    began = time.monotonic()

    def all_told() -> bool:
        gone = set(waiting)
        for obj in hand.registries():
            case = waiting.get(obj["metadata"]["name"])
            gone.discard(obj["metadata"]["name"])
            if case is not None and (is_observed(obj) or is_leaving(obj)):
                del waiting[case.name]
                tally.told[summary(obj)] += 1
                tally.complaints += [f"{case}: {line}" for line in wrong(obj)]
        for name in gone:  # its owner never was
            del waiting[name]
        assert operator.alive, operator.said()[-3000:]
        return not waiting

    try:
        until(all_told, PATIENCE, "a word about every case", pause=0.25)
    except TimeoutError:
        tally.complaints += [
            f"{case}: nothing after {PATIENCE:.0f} s{_state(hand, case)}"
            for case in waiting.values()
        ]
    tally.slowest = max(tally.slowest, time.monotonic() - began)
    hand.at_once(lambda case: _removed(hand, case), cases)


def _applied(hand: Hand, case: Poison) -> int:
    if case.content is not None:
        hand.create(CONFIG_MAP, case.content)
    return hand.create(MCP_REGISTRY, case.registry).status


def _removed(hand: Hand, case: Poison) -> None:
    hand.remove(MCP_REGISTRY, case.name)
    if case.content is not None:
        hand.remove(CONFIG_MAP, case.name)


def _state(hand: Hand, case: Poison) -> str:
    obj: JsonObject = hand.get(MCP_REGISTRY, case.name) or {}
    return (
        f", generation {obj.get('metadata', {}).get('generation')}, {str(obj.get('status'))[:300]}"
    )
