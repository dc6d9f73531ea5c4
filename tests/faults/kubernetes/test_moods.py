"""Whatever goes wrong for a while between the operator and the API server, the end is that of an undisturbed run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.kubernetes.faults import MOODS
from tests.faults.kubernetes.picture import differences
from tests.faults.kubernetes.plans import PARALLEL, Plans

pytestmark = pytest.mark.e2e

REMADE = 20
"""Chunks of syncs that failed half-way and were tried again: each try has its own times."""


@pytest.mark.requirement("SYN-02")
def test_what_goes_wrong_for_a_while_changes_nothing_in_the_end(plans: Plans) -> None:
    undisturbed = plans.run()

    def differs(mood: str) -> list[str]:
        run = plans.run(faults=MOODS[mood])
        found = differences(undisturbed.picture, run.picture, remade=REMADE)
        return [f"{mood}: {line}" for line in found]

    with ThreadPoolExecutor(PARALLEL) as pool:
        wrong = [line for lines in pool.map(differs, MOODS) for line in lines]
    assert not wrong, "\n".join(wrong)
