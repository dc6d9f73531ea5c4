from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import manifest
from thv.apps.registry_api.copies import Copies
from thv.domain.canonical import JsonObject


def a_registry(name: str = "corp", **status: object) -> JsonObject:
    obj = manifest(name)
    metadata = {
        "namespace": "team",
        "uid": f"u-{name}",
        "resourceVersion": "7",
        "managedFields": [],
    }
    return {**obj, "metadata": {**obj["metadata"], **metadata}, "status": status}


def test_what_is_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "registries"
    for name in ("b", "a", "c"):
        Copies(folder).keep(a_registry(name, lastSync="now"))
    Copies(folder).forget(a_registry("c"))
    found = list(Copies(folder))
    assert [obj["metadata"]["name"] for obj in found] == ["a", "b"]
    assert found[0]["status"] == {"lastSync": "now"}
    assert found[0]["metadata"] == {"name": "a", "namespace": "team", "uid": "u-a"}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    copies.keep(a_registry(phase="Ready"))
    (path,) = tmp_path.iterdir()
    path.unlink()
    newer = a_registry(phase="Ready")
    newer["metadata"]["resourceVersion"] = "8"
    copies.keep(newer)
    assert not list(tmp_path.iterdir())
    copies.keep(a_registry(phase="Syncing"))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"metadata": {"name": "x"}}', b"\xff"]
)
def test_a_file_that_cannot_be_read_counts_as_none(tmp_path: Path, content: bytes) -> None:
    copies = Copies(tmp_path)
    copies.keep(a_registry())
    (tmp_path / "team.other.json").write_bytes(content)
    assert [obj["metadata"]["name"] for obj in copies] == ["corp"]


def test_a_registry_that_is_forgotten_twice_is_no_error(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    copies.forget(a_registry())
    assert not list(copies)
