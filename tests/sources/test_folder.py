from __future__ import annotations

import pytest

from thv.domain.errors import Code, ThvError
from thv.sources.folder import entry_paths, is_entry, nearest, quoted


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("osv.yaml", True),
        ("osv.yml", True),
        ("osv.json", True),
        ("osv/spec.yaml", True),
        ("osv/spec.yml", True),
        ("osv/spec.json", True),
        ("osv/values.yaml", False),
        ("a/osv/spec.yaml", False),
        ("README.md", False),
        ("osv.yaml.bak", False),
        (".hidden.yaml", False),
        (".github/spec.yaml", False),
        ("../spec.yaml", False),
        ("/spec.yaml", False),
        ("", False),
    ],
)
def test_entries_are_told_from_other_files(path: str, entry: bool) -> None:
    assert is_entry(path) is entry


def test_entries_come_in_the_order_of_their_paths() -> None:
    paths = ["b.yaml", "a/spec.yaml", "B.json", "README.md"]
    assert entry_paths(paths, "x") == ("B.json", "a/spec.yaml", "b.yaml")


def test_a_folder_without_entries_is_said() -> None:
    with pytest.raises(ThvError, match='the folder "x" holds no entry') as caught:
        entry_paths(["README.md"], 'the folder "x"')
    assert caught.value.code is Code.PATH_NOT_FOUND


def test_too_many_entries_are_refused() -> None:
    with pytest.raises(ThvError, match="x holds 3 entries; a folder may hold 2") as caught:
        entry_paths(["a.yaml", "b.yaml", "c.yaml"], "x", most=2)
    assert caught.value.code is Code.SIZE_LIMIT_EXCEEDED


def test_the_nearest_names_come_first() -> None:
    assert nearest("registry.jsn", ["a", "registry.json", "registry.yaml"])[0] == "registry.json"
    assert nearest("zzz", ["b", "a", ".git"]) == ("a", "b")
    assert nearest("x", []) == ()


def test_names_are_quoted_in_sentences() -> None:
    assert quoted(["a", "b"]) == '"a", "b"'
    assert quoted([]) == "none"
