"""One browser and one service for all tests of this folder.

Both end with the folder: the browser's loop would be in the way of tests that have a loop of their own.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.apps.dashboard.browser import hostile
from tests.apps.dashboard.browser.looking import Looking
from tests.apps.dashboard.browser.places import BROKEN, BY_HAND
from tests.apps.standalone.process import Process, run

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


class Guarded(NamedTuple):
    process: Process
    token: str


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
    """The samples, a registry in trouble, and a server of no registry."""
    home = tmp_path_factory.mktemp("catalog")
    with Process(home, "dev", "--data", "data", "--port", "0") as process:
        process.until(lambda: "Ctrl-C ends it." in process.said)
        added = run(
            home, "--data", "data", "registry", "add", BROKEN, "--no-sync",
            "--url", "http://127.0.0.1:1/servers.json", "--allow-private-ip", "--allow-http",
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        server = hostile.by_hand(BY_HAND, "ghcr.io/github/github-mcp-server:v0.20.0")
        (home / "server.json").write_text(json.dumps(server))
        applied = run(home, "--data", "data", "apply", "-f", "server.json")
        assert applied.returncode == 0, applied.stderr
        process.until(lambda: _fails(process))
        yield process


def _fails(process: Process) -> bool:
    registries = process.get("/api/v1/registries").json["registries"]
    return any(each["name"] == BROKEN and each["phase"] == "Failed" for each in registries)


@pytest.fixture
def looking(chromium: Browser, service: Process) -> Iterator[Looking]:
    """Pages of the open service; what they do that they must not fails the test."""
    yield from _watched(Looking(chromium, f"http://127.0.0.1:{service.port}"))


def _watched(looking: Looking) -> Iterator[Looking]:
    yield looking
    noted = looking.end()
    assert not noted, "\n".join(noted)


@pytest.fixture(scope="package")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A service that asks who one is, and whose registries are of somebody who wants to do harm."""
    home = tmp_path_factory.mktemp("guarded")
    for name, content in hostile.documents().items():
        (home / f"{name}.json").write_bytes(content)
    (home / "registries.json").write_bytes(hostile.registries(home))
    for command in (
        ("apply", "-f", "registries.json"),
        ("auth", "token", "--user", "ada", "--role", "toolhive-registry-admin"),
    ):
        done = run(home, "--data", "data", *command)
        assert done.returncode == 0, done.stderr
    access = ("--token-file", "data/tokens.yaml")
    with Process(home, "--data", "data", "serve", "--port", "0", *access) as process:
        token = done.stdout.split()[-1]
        process.until(lambda: _settled(process, token))
        yield Guarded(process, token)


def _settled(process: Process, token: str) -> bool:
    reply = process.get("/api/v1/registries", Authorization=f"Bearer {token}")
    phases = [each["phase"] for each in reply.json["registries"]] if reply.status == 200 else []
    return len(phases) == hostile.REGISTRIES and {*phases} == {"Ready", "Failed"}


@pytest.fixture
def strange(chromium: Browser, guarded: Guarded) -> Iterator[Looking]:
    """Pages of the guarded service."""
    yield from _watched(Looking(chromium, f"http://127.0.0.1:{guarded.process.port}"))


@pytest.fixture(scope="package")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of all pages are left."""
    wanted = os.environ.get("THV_SCREENSHOTS", "")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
