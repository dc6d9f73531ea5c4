"""What tests of the sync share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sync.world import OPENED


@pytest.fixture(autouse=True)
def _close_what_worlds_opened() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()
