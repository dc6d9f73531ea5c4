from __future__ import annotations

import pytest

from thv.domain.conditions import (
    CONDITION_LIMIT,
    Condition,
    ConditionStatus,
    condition_of,
    merge_conditions,
)

EARLIER, NOW = "2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"

pytestmark = pytest.mark.requirement("REG-13")


def _condition(
    kind: str,
    status: ConditionStatus = "True",
    *,
    at: str = "",
    reason: str = "Fine",
    message: str = "",
) -> Condition:
    return Condition(
        type=kind, status=status, reason=reason, message=message, last_transition_time=at
    )


def test_new_condition_began_now() -> None:
    assert merge_conditions((), [_condition("Ready")], now=NOW) == (_condition("Ready", at=NOW),)


def test_time_stays_while_the_status_stays() -> None:
    before = _condition("Ready", at=EARLIER, reason="Old", message="old")
    after = _condition("Ready", reason="New", message="new")
    assert merge_conditions([before], [after], now=NOW) == (
        _condition("Ready", at=EARLIER, reason="New", message="new"),
    )


def test_time_moves_with_the_status() -> None:
    before = _condition("Ready", "False", at=EARLIER)
    assert merge_conditions([before], [_condition("Ready")], now=NOW) == (
        _condition("Ready", at=NOW),
    )


def test_order_is_that_of_the_first_appearance() -> None:
    before = [_condition("B", at=EARLIER), _condition("A", at=EARLIER)]
    merged = merge_conditions(before, [_condition("C"), _condition("A"), _condition("B")], now=NOW)
    assert [condition.type for condition in merged] == ["B", "A", "C"]


def test_what_is_not_desired_stays() -> None:
    before = [_condition("Other", at=EARLIER)]
    merged = merge_conditions(before, [_condition("Ready")], now=NOW)
    assert [condition.type for condition in merged] == ["Other", "Ready"]


def test_what_no_longer_applies_can_be_dropped() -> None:
    before = [_condition("PolicySatisfied", at=EARLIER), _condition("Ready", at=EARLIER)]
    merged = merge_conditions(before, [_condition("Ready")], now=NOW, drop=["PolicySatisfied"])
    assert [condition.type for condition in merged] == ["Ready"]


@pytest.mark.parametrize("kind", ["Reconciling", "Stalled"])
def test_abnormal_conditions_exist_only_while_true(kind: str) -> None:
    begun = merge_conditions((), [_condition(kind)], now=EARLIER)
    assert [condition.type for condition in begun] == [kind]
    assert merge_conditions(begun, [], now=NOW) == ()
    assert merge_conditions(begun, [_condition(kind, "False")], now=NOW) == ()
    assert merge_conditions(begun, [_condition(kind)], now=NOW) == begun


def test_too_many_conditions_give_way_to_the_desired_ones() -> None:
    before = [_condition(f"Old{number}", at=EARLIER) for number in range(CONDITION_LIMIT)]
    merged = merge_conditions(before, [_condition("Ready")], now=NOW)
    assert len(merged) == CONDITION_LIMIT
    assert merged[0].type == "Old1"
    assert merged[-1].type == "Ready"


def test_long_message_is_cut() -> None:
    (merged,) = merge_conditions((), [_condition("Ready", message="x" * 300)], now=NOW)
    assert len(merged.message) == 200
    assert merged.message.endswith("...")


def test_condition_is_found_by_type() -> None:
    conditions = (_condition("A"), _condition("B"))
    assert condition_of(conditions, "B") is conditions[1]
    assert condition_of(conditions, "C") is None
