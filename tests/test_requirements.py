"""The table of requirements against the tests that exist."""

from __future__ import annotations

from tests.pages import proofs
from tests.requirements import NOT_YET, PARTLY, REQUIREMENTS


def test_every_requirement_is_proved_or_says_why_not() -> None:
    proved = proofs()
    assert proved.keys() <= REQUIREMENTS.keys()
    assert {r for r in REQUIREMENTS if r not in proved and r not in NOT_YET} == set()


def test_nothing_is_called_missing_that_a_test_proves() -> None:
    assert NOT_YET.keys() & proofs().keys() == set()


def test_there_are_all_of_them() -> None:
    assert len(REQUIREMENTS) == 87
    assert NOT_YET.keys() <= REQUIREMENTS.keys()
    assert PARTLY.keys() <= REQUIREMENTS.keys() - NOT_YET.keys()
