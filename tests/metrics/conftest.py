from __future__ import annotations

import shutil

import pytest

from tests.apps.operator.conftest import operated, place
from tests.charts.conftest import helm, helm_program

__all__ = ["helm", "helm_program", "operated", "place"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def promtool() -> str:
    """The checker of Prometheus; tests that want it are skipped loudly without it."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian, Ubuntu: apt-get install prometheus)")
    return found
