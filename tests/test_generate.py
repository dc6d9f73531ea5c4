from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.generate import OUTPUTS, ROOT, main, stale
from thv.formats.crd import registry_crd


def test_generated_files_are_what_the_code_says() -> None:
    assert [str(path.relative_to(ROOT)) for path, _ in stale()] == [], "run: make gen"


def test_a_file_that_differs_is_named(tmp_path: Path) -> None:
    assert [path for path, _ in stale(tmp_path)] == [tmp_path / path for path, _ in OUTPUTS]


def test_written_definition_reads_back_as_the_same(tmp_path: Path) -> None:
    (text,) = [text for path, text in stale(tmp_path) if path.name == "mcpregistries.yaml"]
    assert yaml.safe_load(text) == registry_crd()
    assert "&id" not in text


def test_check_passes_without_writing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["generate"])
    assert main() == 0
    assert capsys.readouterr().out == ""
