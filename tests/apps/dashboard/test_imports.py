"""What shows no pages loads none of what they are made with."""

from __future__ import annotations

import subprocess
import sys

import pytest

REPORT = """
import sys
{code}
sys.stderr.write("LOADED " + ",".join(
    name for name in sys.modules if name.startswith(("jinja2", "markupsafe", "thv.apps.dashboard"))))
"""
HELP = """
from thv.apps.cli.main import run
from thv.apps.cli.options import Common
run(Common(argv=["--help"]))
"""


@pytest.mark.flows
@pytest.mark.parametrize(
    "code",
    [
        HELP,
        "import thv.apps.registry_api.pod_process",
        "import thv.apps.operator.wiring",
        "import thv.apps.standalone.service",
    ],
    ids=["thv --help", "the API of one registry", "the operator", "one machine, before it starts"],
)
def test_it_loads_no_pages(code: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", REPORT.format(code=code)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ran.stderr.rpartition("LOADED ")[2] == ""


@pytest.mark.flows
def test_pages_alone_load_nothing_that_talks_to_issuers() -> None:
    shown = REPORT.format(code="import thv.apps.catalog_api.pod").replace(
        '("jinja2", "markupsafe", "thv.apps.dashboard")',
        '("jwt", "thv.clients.oidc", "thv.apps.dashboard.oidc")',
    )
    ran = subprocess.run(
        [sys.executable, "-c", shown], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stderr.rpartition("LOADED ")[2] == ""


@pytest.mark.flows
def test_the_check_would_notice() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", REPORT.format(code="import thv.apps.dashboard.door")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "jinja2" in ran.stderr
