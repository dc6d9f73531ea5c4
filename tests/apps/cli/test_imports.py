"""What a command that fetches nothing imports: each run is a process of its own, so it must start fast."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import array, server

NETWORK = (
    "httpcore",
    "httptools",
    "uvicorn",
    "anyio",
    "thv.clients.http.client",
    "thv.clients.git.client",
)
REPORT = """
import sys
from thv.apps.cli.main import run
from thv.apps.cli.options import Common
code = run(Common(argv=sys.argv[1:]))
loaded = [name for name in sys.modules if name.startswith({network!r})]
sys.stderr.write("LOADED " + ",".join(loaded))
sys.exit(code)
"""


def loaded(data: Path, *words: str) -> str:
    environ = {**os.environ, "THV_DATA": str(data), "HOME": str(data.parent)}
    ran = subprocess.run(
        [sys.executable, "-c", REPORT.format(network=NETWORK), *words],
        env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stderr.rpartition("LOADED ")[2]


@pytest.mark.flows
def test_commands_that_fetch_nothing_load_no_http(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "servers.json"
    file.write_bytes(array(server("io.example/a")))
    assert loaded(data, "--help") == ""
    assert loaded(data, "registry", "add", "local", "--file", str(file), "--no-sync") == ""
    assert "httpcore" in loaded(data, "registry", "sync", "local")
    for words in (
        "registry list", "registry show local", "registry status local", "registry history local",
        "registry suspend local", "registry resume local", "registry wait local", "search", "version",
        f"registry diff local -f {file}", "registry diff local local",
        f"registry import --file {file} --registry other --no-sync", "registry remove local other --yes",
    ):  # fmt: skip
        assert loaded(data, *words.split()) == "", words
