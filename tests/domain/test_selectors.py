from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thv.domain.errors import Code, ThvError
from thv.domain.selectors import EVERYTHING, Operator, Requirement, Selector, parse_selector

LABELS = {"tier": "Official", "x.io/category": "database", "empty": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "tier=Official",
        "tier==Official",
        "tier = Official",
        "tier!=Community",
        "absent!=x",
        "tier in (Official)",
        "tier in (Official, Community)",
        "tier notin (Community)",
        "absent notin (a,b)",
        "tier",
        "!absent",
        "! absent",
        "empty=",
        "empty in (,a)",
        "x.io/category=database",
        "tier=Official,!absent,x.io/category in (database,search)",
    ],
)
def test_selector_matches(text: str) -> None:
    assert parse_selector(text).matches(LABELS)


@pytest.mark.parametrize(
    "text",
    [
        "tier=Community",
        "tier=official",
        "tier!=Official",
        "tier in (Community)",
        "tier notin (Official)",
        "absent",
        "!tier",
        "absent=",
        "absent in (a)",
        "tier=Official,absent",
    ],
)
def test_selector_does_not_match(text: str) -> None:
    assert not parse_selector(text).matches(LABELS)


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "a=b,",
        ",a=b",
        "a=b c",
        "a in",
        "a in (",
        "a in b",
        "a in ((b))",
        "a=b=c",
        "=b",
        "a===b",
        "!",
        "!a=b",
        "a b",
        "a/b/c=d",
        "-a=b",
        "a=b/c",
        "a=" + "x" * 64,
        "a>5",
        "(a)",
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ThvError) as error:
        parse_selector(text)
    assert error.value.code is Code.INVALID
    assert text in error.value.message


def test_a_key_may_be_called_like_an_operator() -> None:
    assert parse_selector("in,notin=a").matches({"in": "", "notin": "a"})


def test_everything_matches_everything() -> None:
    assert EVERYTHING.matches({})
    assert parse_selector("") == EVERYTHING


_words = st.text("abcXYZ019", min_size=1, max_size=8)
_requirements = st.one_of(
    st.builds(Requirement, _words, st.sampled_from([Operator.EXISTS, Operator.ABSENT])),
    st.builds(
        Requirement,
        _words,
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.frozensets(_words | st.just(""), min_size=1, max_size=4),
    ),
)


@given(st.lists(_requirements, max_size=4).map(tuple).map(Selector))
def test_selector_reads_what_it_writes(selector: Selector) -> None:
    assert parse_selector(str(selector)) == selector
