from __future__ import annotations

import pytest

from thv.stores.mirrors import sqlite
from thv.stores.mirrors.base import Basis, Selected
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
