"""Readers of what strangers wrote."""

from __future__ import annotations

from typing import Any

import pytest

from thv.domain.lenient import as_object, as_objects, as_text, as_texts


@pytest.mark.parametrize("value", [None, 3, "", "no list", {"a": 1}, {}])
def test_what_is_no_list_holds_nothing(value: Any) -> None:
    assert as_objects(value) == []
    assert as_texts(value) == []


def test_a_list_is_read_without_what_does_not_belong_there() -> None:
    assert as_objects([{"a": 1}, "b", None, {}]) == [{"a": 1}, {}]
    assert as_texts([{"a": 1}, "b", None, 3, ""]) == ["b", ""]


@pytest.mark.parametrize("value", [None, 3, True, ["a"]])
def test_what_is_of_another_type_is_absent(value: Any) -> None:
    assert as_object(value) == {}
    assert as_text(value) == ""


def test_what_is_right_is_itself() -> None:
    assert as_object({"a": 1}) == {"a": 1}
    assert as_text("a") == "a"
