from __future__ import annotations

import pytest

from thv.domain.durations import parse_duration
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
