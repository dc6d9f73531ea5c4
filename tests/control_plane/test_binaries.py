"""Where the programs of a control plane are taken from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.control_plane.binaries import (
    MANAGER,
    NAMES,
    Binaries,
    build,
    built,
    find,
    find_or_build,
)
from tests.go_programs import MissingError


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine with an empty tool cache."""
    return {"THV_TOOLS": str(tmp_path / "tools"), "PATH": ""}


def programs(folder: Path, *, without: str = "") -> Path:
    folder.mkdir(parents=True)
    for name in NAMES:
        if name != without:
            (folder / name).touch(0o755)
    return folder


def test_a_folder_that_is_named_wins_even_without_controllers(
    environ: dict[str, str], tmp_path: Path
) -> None:
    programs(built(environ))
    named = programs(tmp_path / "named", without=MANAGER)
    found = find_or_build({**environ, "KUBEBUILDER_ASSETS": str(named)})
    assert found == Binaries(named)
    assert not found.has_manager


def test_a_folder_that_lacks_a_program_is_passed_over(
    environ: dict[str, str], tmp_path: Path
) -> None:
    named = programs(tmp_path / "named", without="etcd")
    cached = programs(built(environ))
    assert find({**environ, "KUBEBUILDER_ASSETS": str(named)}) == Binaries(cached)


def test_a_published_archive_is_better_than_nothing(
    environ: dict[str, str], tmp_path: Path
) -> None:
    programs(tmp_path / "tools" / "k8s" / "1.35.0-linux-amd64", without=MANAGER)
    newest = programs(tmp_path / "tools" / "k8s" / "1.36.0-linux-amd64", without=MANAGER)
    assert find(environ) == Binaries(newest)


def test_a_machine_without_any_is_told_how_to_get_one(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.control_plane.binaries.go_command", lambda _: None)
    with pytest.raises(MissingError, match="install Go and run `make tools`"):
        build(environ)
