"""The image: what can be held against its Dockerfile where no image is built."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.charts.helm import CHART
from tests.control_plane.images import INSIDE, NONROOT, Image
from thv import __version__

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
SCRIPT = ROOT / "image" / "install.sh"

pytestmark = pytest.mark.requirement("OPS-04")


def instructions(word: str) -> list[str]:
    return re.findall(rf"^{word} +(.*)$", DOCKERFILE, re.MULTILINE)


def test_the_image_runs_as_the_user_that_pods_ask_for() -> None:
    assert instructions("USER") == [f"{NONROOT}:{NONROOT}"]
    assert instructions("ENTRYPOINT") == ['["thv"]']


def test_the_image_and_the_pods_of_the_tests_are_installed_by_one_script() -> None:
    assert f"image/install.sh python3 /source {INSIDE}" in instructions("RUN")[0]
    assert f"--from=build {INSIDE} {INSIDE}" in instructions("COPY")
    (path,) = [line for line in instructions("ENV") if "PATH=" in line]
    assert path.startswith(f"PATH={INSIDE}/bin:")


def test_what_is_copied_exists_and_is_not_kept_from_the_builder() -> None:
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    copied = [line.split() for line in instructions("COPY") if not line.startswith("--from")]
    for *sources, _ in copied:
        for source in sources:
            assert (ROOT / source).exists()
            assert source in sent


def test_every_base_has_a_version_and_nothing_comes_from_elsewhere() -> None:
    assert not instructions("ADD")
    for base in instructions("FROM"):
        assert re.search(r":[^ ]*\d", base.replace("${PYTHON}", instructions("ARG")[0]))


def test_the_script_has_no_mistake_that_a_linter_knows() -> None:
    subprocess.run(["sh", "-n", str(SCRIPT)], check=True)
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("no shellcheck: apt-get install shellcheck")
    subprocess.run([shellcheck, str(SCRIPT)], check=True)


@pytest.mark.e2e
def test_what_is_installed_holds_the_product_and_is_compiled(product: Image) -> None:
    (place,) = [each.source for each in product.folders if each.target == INSIDE]
    assert {file.name for file in (place / "bin").iterdir() if not file.is_symlink()} == {"thv"}
    assert (place / "bin" / "thv").read_text().startswith(f"#!{INSIDE}/bin/python\n")
    (packages,) = place.glob("lib/python*/site-packages")
    sources = [file for file in (packages / "thv").rglob("*.py") if file.stat().st_size]
    assert all(list((file.parent / "__pycache__").glob(f"{file.stem}.*")) for file in sources)
    assert not (packages / "flit_core").exists()


def test_the_chart_asks_for_this_image() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert f"-t {values['image']['repository']}:{__version__} " in (ROOT / "Dockerfile").read_text()
