from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.cli.running import Cli
from tests.upstream import Upstream


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A user in a fresh home folder, not at a terminal."""
    return Cli(tmp_path / "home")


@pytest.fixture
def terminal(tmp_path: Path) -> Cli:
    """The same user at a terminal of 100 columns."""
    return Cli(tmp_path / "home", terminal=True)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A server on loopback that speaks the official API and serves files."""
    with Upstream() as up:
        yield up
