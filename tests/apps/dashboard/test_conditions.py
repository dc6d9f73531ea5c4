"""What the conditions of a registry come to, and the picture of its syncs."""

from __future__ import annotations

from typing import Any

import pytest

from thv.apps.dashboard.charts import CHART, chart_of, took
from thv.apps.dashboard.conditions import findings
from thv.domain.reasons import REASONS


def a_condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "last_transition_time": None,
    }


def test_the_cause_is_told_and_what_follows_from_it_is_not() -> None:
    found = findings(
        "corp",
        [
            a_condition("Ready", "False", "Invalid", "see Stalled"),
            a_condition("SyncSucceeded", "False", "Failed", "no good"),
            a_condition("Stalled", "True", "Invalid", "spec.source.url is required"),
        ],
    )
    assert [(each.type, each.is_bad) for each in found] == [("Stalled", True)]


def test_two_causes_are_both_told() -> None:
    found = findings(
        "corp",
        [
            a_condition("APIReady", "False", "QuotaExceeded", "no place"),
            a_condition("SourceAvailable", "False", "Timeout", "nothing came"),
        ],
    )
    assert [each.type for each in found] == ["SourceAvailable", "APIReady"]


@pytest.mark.parametrize(
    ("condition", "bad"),
    [
        (a_condition("DataValid", "True", "ParsedWithSkips", "1 of 9"), [False]),
        (a_condition("DataValid", "True", "Parsed"), []),
        (a_condition("APIReady", "False", "Deploying", "on their way"), [False]),
        (a_condition("Ready", "False", "Progressing", "soon"), []),
        (a_condition("Reconciling", "True", "Retrying", "again"), []),
        (a_condition("SourceAvailable", "False", "OfTheFuture", "what is that"), [True]),
    ],
)
def test_what_passes_by_itself_is_no_trouble(condition: dict[str, Any], bad: list[bool]) -> None:
    assert [each.is_bad for each in findings("corp", [condition])] == bad


def test_advice_names_the_registry() -> None:
    (found,) = findings("corp", [a_condition("SyncSucceeded", "False", "Failed", "no good")])
    assert "`thv registry sync corp`" in found.remedy


def test_every_trouble_of_the_table_has_a_meaning_and_says_what_to_do() -> None:
    silent = {
        (each.type, each.word)
        for each in REASONS
        if each.status == "False" and not (each.meaning and each.remedy)
    }
    assert silent == {("PolicySatisfied", "ApprovalPending")}


def a_sync(outcome: str, seconds: str) -> dict[str, Any]:
    return {
        "started_at": "2026-11-20T10:00:00Z",
        "finished_at": f"2026-11-20T10:00:{seconds}Z",
        "outcome": outcome,
    }


def test_bars_are_as_high_as_syncs_took_long_and_the_newest_is_at_the_right() -> None:
    chart = chart_of([a_sync("Succeeded", "04"), a_sync("Failed", "01"), a_sync("Succeeded", "02")])
    assert [bar.height for bar in chart.bars] == [CHART.height / 2, CHART.height, CHART.height]
    assert [bar.is_good for bar in chart.bars] == [True, False, True]
    assert chart.bars[0].x < chart.bars[-1].x < chart.width
    assert (chart.good, chart.failed, chart.longest) == (2, 1, 4.0)


def test_a_sync_that_does_not_say_when_it_ended_is_drawn_all_the_same() -> None:
    chart = chart_of([{**a_sync("Succeeded", "04"), "finished_at": None}])
    assert (len(chart.bars), chart.longest) == (1, 0.0)
    assert not chart_of([]).bars


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, ""), (0.0234, "23 ms"), (2.5, "2.5 s"), (75, "1 min 15 s")]
)
def test_lengths_in_words(seconds: float | None, said: str) -> None:
    assert took(seconds) == said
