"""How a process hands out memory, and looks for what nobody holds."""

from __future__ import annotations

import gc

from thv.apps.kit.memory import settle


def test_what_was_made_before_is_not_looked_through_again() -> None:
    before = gc.get_freeze_count()
    try:
        settle()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
