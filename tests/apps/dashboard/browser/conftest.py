"""One browser and one service for all tests of this folder.

Both end with the folder: the browser's loop would be in the way of tests that have a loop of their own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.apps.dashboard.browser.looking import Looking
from tests.apps.dashboard.browser.places import BROKEN
from tests.apps.standalone.process import Process, run

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    if not PROGRAM:
        pytest.skip("chromium is not installed (Debian, Ubuntu: apt-get install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=PROGRAM, args=_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The samples, and a registry in trouble."""
    home = tmp_path_factory.mktemp("catalog")
    with Process(home, "dev", "--data", "data", "--port", "0") as process:
        process.until(lambda: "Ctrl-C ends it." in process.said)
        added = run(
            home, "--data", "data", "registry", "add", BROKEN, "--no-sync",
            "--url", "http://127.0.0.1:1/servers.json", "--allow-private-ip", "--allow-http",
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        process.until(lambda: _fails(process))
        yield process


def _fails(process: Process) -> bool:
    registries = process.get("/api/v1/registries").json["registries"]
    return any(each["name"] == BROKEN and each["phase"] == "Failed" for each in registries)


@pytest.fixture
def looking(chromium: Browser, service: Process) -> Iterator[Looking]:
    """Pages of the open service; what they do that they must not fails the test."""
    looking = Looking(chromium, f"http://127.0.0.1:{service.port}")
    yield looking
    noted = looking.end()
    assert not noted, "\n".join(noted)


@pytest.fixture(scope="package")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of all pages are left."""
    wanted = os.environ.get("THV_SCREENSHOTS", "")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
