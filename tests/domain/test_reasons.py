"""The table of reasons is whole."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from thv.domain.reasons import REASONS, TYPES, ReasonWord


def test_every_word_is_explained_for_some_type() -> None:
    assert {reason.word for reason in REASONS} == set(get_args(ReasonWord))
    assert {reason.type for reason in REASONS} == set(TYPES)


def test_a_reason_of_a_type_is_explained_once() -> None:
    counted = Counter((reason.type, reason.word) for reason in REASONS)
    assert [place for place, count in counted.items() if count > 1] == []


def test_what_is_not_as_it_should_be_says_what_to_do() -> None:
    helpless = [
        reason
        for reason in REASONS
        if reason.status != "True" and not reason.remedy and reason.type != "PolicySatisfied"
    ]
    assert helpless == []
