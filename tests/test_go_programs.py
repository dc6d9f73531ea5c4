"""Programs that Go builds for tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.go_programs import GoFile, GoProgram, MissingError, locked

PROGRAM = GoProgram(
    name="thing",
    module="example.com/things",
    version="1.2.3",
    package="cmd/thing",
    product="things",
    stamps={"main.version": "1.2.3"},
    files=("docs/api.yaml",),
)
FILE = GoFile(
    module="example.com/things",
    version="1.2.3",
    sum="h1:things=",
    path="docs/api.yaml",
    product="things",
)
GO = """#!/bin/sh
echo "$@" >> $LOG
case $1 in
install) mkdir -p $GOBIN && touch $GOBIN/thing && chmod +x $GOBIN/thing ;;
mod) echo "{\\"Dir\\": \\"$MODULE\\", \\"Sum\\": \\"h1:things=\\"}" ;;
esac
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine with an empty tool cache and a Go that writes down what it is told."""
    go, module = tmp_path / "bin" / "go", tmp_path / "module"
    go.parent.mkdir()
    go.write_text(GO)
    go.chmod(0o755)
    (module / "docs").mkdir(parents=True)
    (module / "docs" / "api.yaml").write_text("openapi: 3.1.0")
    return {
        "THV_TOOLS": str(tmp_path / "tools"),
        "PATH": f"{go.parent}:{os.environ['PATH']}",
        "LOG": str(tmp_path / "log"),
        "MODULE": str(module),
    }


def test_a_program_is_built_once_with_its_files(environ: dict[str, str], tmp_path: Path) -> None:
    assert PROGRAM.find(environ) is None
    place = PROGRAM.find_or_build(environ)
    assert place == tmp_path / "tools" / "things-1.2.3" / "thing"
    assert PROGRAM.find(environ) == place == PROGRAM.find_or_build(environ)
    assert (place.parent / "api.yaml").read_text() == "openapi: 3.1.0"
    said = (tmp_path / "log").read_text().splitlines()
    assert said == [
        "install -trimpath -ldflags -s -w -X main.version=1.2.3 example.com/things/cmd/thing@v1.2.3",
        "mod download -json example.com/things@v1.2.3",
    ]


def test_without_go_somebody_is_told_how_to_get_one(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.go_programs.go_command", lambda _: None)
    with pytest.raises(MissingError, match="no things: install Go and run `make tools`"):
        PROGRAM.find_or_build(environ)


def test_a_build_that_fails_says_why_and_leaves_nothing(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "bin" / "go").write_text("#!/bin/sh\necho no such module >&2; exit 1\n")
    with pytest.raises(MissingError, match="things cannot be built: no such module"):
        PROGRAM.find_or_build(environ)
    assert [path.name for path in PROGRAM.place(environ).parent.iterdir()] == [".lock"]


def test_a_file_is_fetched_once(environ: dict[str, str], tmp_path: Path) -> None:
    place = FILE.find_or_fetch(environ)
    assert place == tmp_path / "tools" / "things-1.2.3" / "api.yaml" == FILE.find_or_fetch(environ)
    assert place.read_text() == "openapi: 3.1.0"
    said = (tmp_path / "log").read_text()
    assert said == "mod download -json example.com/things@v1.2.3\n"


def test_a_file_of_another_module_is_not_kept(environ: dict[str, str]) -> None:
    other = FILE._replace(sum="h1:others=")
    with pytest.raises(MissingError, match="things cannot be fetched: its sum is h1:things="):
        other.find_or_fetch(environ)
    assert not other.place(environ).exists()


def test_a_lock_is_free_again(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "lock"):
            pass
