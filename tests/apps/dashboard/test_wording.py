"""How texts of strangers are written."""

from __future__ import annotations

import pytest

from thv.apps.dashboard.wording import hidden_in, passages, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("invoice\u202egnp.exe", "invoice⟨U+202E⟩gnp.exe"),
        ("zero\u200bwidth\u200djoined", "zero⟨U+200B⟩width⟨U+200D⟩joined"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("\ufe0f\ufe0fdata", "⟨U+FE0F⟩⟨U+FE0F⟩data"),
    ],
)
def test_what_hides_something_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert hidden_in(text)


@pytest.mark.parametrize(
    "text", ["📦️ A fast server", "⚠\ufe0f careful", "👩\u200d💻", "🏳\ufe0f\u200d🌈"]
)
def test_pictures_are_left_as_they_are(text: str) -> None:
    assert visible(text) == text
    assert hidden_in(text) == []


def test_what_is_put_behind_a_picture_is_shown() -> None:
    assert visible("📦\ufe0f\ufe0f\ufe0e") == "📦\ufe0f⟨U+FE0F⟩⟨U+FE0E⟩"


def test_headings_of_a_text_stand_apart() -> None:
    text = "# One\n\nsaid\nin lines\n\n## Two\nat once\n\n#tag\n\n\n"
    assert passages(text) == [
        (True, "One"),
        (False, "said\nin lines"),
        (True, "Two"),
        (False, "at once"),
        (False, "#tag"),
    ]
