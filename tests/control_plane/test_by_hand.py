"""A cluster that somebody starts by hand, and what is left of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from tests.control_plane.binaries import Binaries
from tests.control_plane.fixtures import control_plane_binaries

pytestmark = pytest.mark.e2e
PATIENCE = 60.0


@pytest.fixture(scope="module")
def binaries() -> Binaries:
    return control_plane_binaries()


def test_nothing_outlives_a_cluster_that_is_killed(binaries: Binaries, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.control_plane"]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        kubeconfig = Path(process.stdout.readline().removeprefix("export KUBECONFIG=").strip())
        url = msgspec.json.decode(kubeconfig.read_bytes())["clusters"][0]["cluster"]["server"]
        done = subprocess.run(
            [binaries.path("kubectl"), "--kubeconfig", str(kubeconfig), "get", "ns", "default"],
            check=False,
        )
        assert done.returncode == 0
        process.kill()
    host, port = url.removeprefix("https://").split(":")
    until = time.monotonic() + PATIENCE
    while answers(host, int(port)):
        assert time.monotonic() < until
        time.sleep(0.01)


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port)):
            return True
    except ConnectionRefusedError:
        return False
