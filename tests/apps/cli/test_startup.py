"""What the command line never imports, so that it answers at once; `bench.startup` has the figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.apps.cli.library import fill
from tests.apps.cli.running import Cli

pytestmark = pytest.mark.flows

SCRIPT = """
import sys
from thv.apps.cli.main import run
from thv.apps.cli.options import Common
try:
    run(Common(argv=sys.argv[1:]))
finally:
    print("\\n".join(sys.modules), file=sys.stderr)
"""
# Libraries that speak a protocol or serve one, and the rooms of ours that use them.
HEAVY = (
    "aiohttp", "anyio", "h11", "httpcore2", "httptools", "httpx", "jsonschema_rs", "kubernetes", "starlette",
    "urllib3", "uvicorn", "uvloop", "thv.clients", "thv.sources.web", "thv.sources.url", "thv.sources.git", "thv.sources.registry", "thv.apps.kit.http", "thv.apps.registry_api",
    "thv.apps.standalone",
)  # fmt: skip


@pytest.fixture
def library(cli: Cli) -> Cli:
    fill(cli).ok("search")
    return cli


def test_help_imports_no_command_and_nothing_of_ours_but_the_tree() -> None:
    modules = _modules(["--help"], {})
    assert not {name for name in modules if name.startswith(HEAVY)}
    ours = {name for name in modules if name.startswith("thv.")}
    assert not {name for name in ours if not name.startswith("thv.apps")}
    assert not {"asyncio", "difflib", "msgspec", "sqlite3", "yaml", "ssl"} & modules
    assert not {name for name in ours if ".commands." in name}


@pytest.mark.parametrize(
    "line",
    ["registry --help", "version", "registry list", "list", "install --help", "search notes", "show weather", "show weather -o upstream",
     "get mcpregistries", "explain mcpregistry.spec", "config view", "completion bash",
     "operator --help", "operator manifests", "operator images"],
)  # fmt: skip
def test_what_only_reads_imports_no_web_and_no_http_library(library: Cli, line: str) -> None:
    modules = _modules(line.split(), _environ(library))
    assert not {name for name in modules if name.startswith(HEAVY)}


def test_completion_imports_no_web_and_no_http_library(library: Cli) -> None:
    asked = {"_THV_COMPLETE": "bash_complete", "COMP_WORDS": "thv show wea", "COMP_CWORD": "2"}
    done = _run([sys.executable, "-c", SCRIPT], {**_environ(library), **asked})
    assert done.stdout == "plain,weather\n"
    assert not {name for name in done.stderr.split() if name.startswith(HEAVY)}


def test_the_memory_of_a_command_that_is_over_is_left_to_the_system() -> None:
    told = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))"
    done = _run([sys.executable, "-c", f"{told}; from thv.main import main; main()", "--help"], {})
    assert done.stdout.splitlines()[-1] == "True"


def _modules(argv: list[str], environ: dict[str, str]) -> set[str]:
    done = _run([sys.executable, "-c", SCRIPT, *argv], environ)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def _run(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = str(Path(__file__).parents[3] / "src")
    return subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "HOME": "/nonexistent", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def _environ(cli: Cli) -> dict[str, str]:
    return {"THV_DATA": str(cli.data), "HOME": str(cli.home)}
