"""SIGKILL to the operator at its writes, before and after each reply: in the end everything is as if undisturbed.

Bounded to some points, spread evenly; THV_CASES gives their number, or `all`. THV_PARALLEL plans run at once, each in a
namespace of its own with an operator for that namespace.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.kubernetes.faults import Moment
from tests.faults.kubernetes.operating import BROKEN
from tests.faults.kubernetes.picture import differences
from tests.faults.kubernetes.plans import PARALLEL, Plans
from tests.faults.kubernetes.scenario import Run, at_first_status, at_write

CASES = os.environ.get("THV_CASES", "10")
POINTS = 70
"""Writes of the undisturbed run; it has not become less thorough while there are at least so many."""
REMADE = 2
"""Chunks of a sync that was killed, which the next one makes with its own times."""

Point = tuple[int, Moment]

pytestmark = pytest.mark.e2e


@pytest.mark.requirement("SYN-02")
def test_an_operator_that_is_killed_at_any_write_leaves_what_an_undisturbed_one_leaves(
    plans: Plans,
) -> None:
    undisturbed, again = plans.run(), plans.run()
    assert differences(undisturbed.picture, again.picture) == []
    count = len(undisturbed.writes)
    assert count >= POINTS, "the scenario has lost writes"
    chosen = points(count) if CASES == "all" else spread(points(count), int(CASES))
    with ThreadPoolExecutor(PARALLEL) as pool:
        runs = list(pool.map(lambda point: plans.run(at_write(*point)), chosen))
    wrong = [
        line
        for point, run in zip(chosen, runs, strict=True)
        for line in told(point, run, undisturbed)
    ]
    reached = sum(run.killed is not None for run in runs)
    seconds = sum(run.seconds for run in runs) / len(runs) / PARALLEL
    print(f"\n{count} writes, killed at {reached} of {len(chosen)} tried, {seconds:.1f} s each")
    assert not wrong, "\n".join(wrong)
    assert reached >= len(chosen) * 0.9


def test_an_operator_that_names_chunks_before_they_are_there_is_found_out(plans: Plans) -> None:
    run = plans.run(at_first_status, command=BROKEN)
    assert run.killed is not None
    assert run.torn


def points(count: int) -> list[Point]:
    moments: tuple[Moment, ...] = ("before", "after")
    return list(itertools.product(range(1, count + 1), moments))


def spread(every: list[Point], count: int) -> list[Point]:
    """So many of them, evenly; both moments come in turn."""
    step = max(1, len(every) // count) | 1
    return every[::step][:count]


def told(point: Point, run: Run, undisturbed: Run) -> Iterator[str]:
    number, moment = point
    torn = [f"configmaps/{name} was named and not there" for name in run.torn]
    for line in (*torn, *differences(undisturbed.picture, run.picture, remade=REMADE)):
        yield f"killed {moment} the reply to write {number} ({run.killed}): {line}"
