from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thv.domain.durations import format_duration, parse_duration
from thv.domain.errors import Code, ThvError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h", 3600),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("90s", 90),
        ("0s", 0),
        ("1m1m", 120),
        ("0.1s", 0.1),
    ],
)
def test_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "1", "1d", "h", "-1h", "1 h", "1h ", "1h\n", ".5h", "1.h", "1H", "\u0661h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ThvError) as error:
        parse_duration(text)
    assert error.value.code is Code.INVALID


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (3600, "1h"),
        (5400, "1h30m"),
        (0.5, "500ms"),
        (86400, "24h"),
        (61.25, "1m1s250ms"),
    ],
)
def test_duration_is_written_short(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 1000))
def test_duration_reads_what_it_writes(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds
