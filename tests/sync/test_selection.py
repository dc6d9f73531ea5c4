from __future__ import annotations

from pathlib import Path

import pytest

from thv.stores.database import open_database
from thv.stores.mirrors import sqlite
from thv.stores.mirrors.base import Basis, Excluded, Selected
from thv.stores.mirrors.sqlite import SqliteSelection


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7])
def test_a_new_base_holds_every_row_and_no_dropped_one(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_STRETCH", 2)
    rows = [
        Selected(
            name=f"io.example/{place // 2}", version=f"{place}", digest="d", dropped=place == 3
        )
        for place in range(count)
    ]
    selection = SqliteSelection(None)
    with selection.edit() as edit:
        edit.put(rows)
        edit.all_in_base()
        edit.keep(Basis(snapshot="s"))
    found = [one for name in selection.names() for one in selection.of_name(name)]
    assert [one.version for one in found] == [str(place) for place in range(count) if place != 3]
    assert all(one.in_base for one in found)
    selection.close()


def test_a_selection_without_rules_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "selection.db"
    old = open_database(path, sqlite._SELECTION_STEPS[:1])
    old.execute("INSERT INTO excluded VALUES ('a/b', 1, 0)")
    old.execute("INSERT INTO state VALUES ('basis', '{\"snapshot\":\"s\"}')")
    old.close()
    selection = SqliteSelection(path)
    assert selection.basis() == Basis()
    with selection.edit() as edit:
        edit.put([], [Excluded("a/b", 2, 0, ("filter.include.tags", "filter.include.tiers"))])
        edit.put([], [Excluded("a/c", 1, 1)])
        edit.keep(Basis(snapshot="s"))
    first = Excluded("a/b", 2, 0, ("filter.include.tags", "filter.include.tiers"))
    assert selection.excluded(1) == [first]
    assert selection.excluded(9) == [first, Excluded("a/c", 1, 1)]
    selection.close()
