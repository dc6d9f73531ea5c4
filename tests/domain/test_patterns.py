from __future__ import annotations

import pytest

from thv.domain.patterns import re2


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        (r"^\d+$", "٣", False),
        (r"^\w+$", "ä", False),
        (r"^\S+$", "a\u00a0b", True),
        (r"^\S+$", "a\x0bb", True),
        (r"^\S+$", "a b", False),
        (r"^\s+$", "\t\n\f\r ", True),
        (r"^[^\s]+$", "a\x0bb", True),
        (r"^[^@\s]+$", "a b", False),
        (r"^[a$]+$", "a$", True),
        (r"^[]a]+$", "]a", True),
        (r"^[^]a]+$", "b", True),
        (r"^[^\\]*$", "a\\b", False),
        (r"^a\$$", "a$", True),
        ("b", "abc", True),
    ],
)
def test_pattern_means_what_re2_means(pattern: str, text: str, matches: bool) -> None:
    assert bool(re2(pattern).search(text)) is matches


def test_what_would_mean_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="spell the class out"):
        re2(r"[\S]")
