"""Servers by the words that labels have for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stores.models.world import World, an_entry, look
from thv.domain.text import label_value
from thv.stores.models.lookup import labelled

pytestmark = pytest.mark.anyio

NAMES = [f"com.example/server-{number}" for number in range(50)]


@pytest.mark.requirement("SRV-02")
async def test_a_server_is_found_by_what_a_label_holds_of_its_name(tmp_path: Path) -> None:
    world = World(*(an_entry(name) for name in NAMES), an_entry("io.github.stacklok/osv"))
    world.put(an_entry(NAMES[3], "2.0.0"))
    world.remove((NAMES[4], "1.0.0"))
    await world.apply(tmp_path, world.snapshot())
    view = look(tmp_path)

    def found(text: str) -> str:
        server = labelled(view, text)
        return server.name if server else ""

    for name in NAMES:
        assert label_value(name) != name
        assert found(name) == found(label_value(name)) == ("" if name == NAMES[4] else name)
    assert found("osv") == "io.github.stacklok/osv"
    right = label_value(NAMES[0])
    wrong = f"com-example-other-{right[-8:]}"
    assert (found(wrong), found("com-example-server-0-00000000"), found("")) == ("", "", "")
    world.put(an_entry("com.example/later"))
    await world.apply(tmp_path, world.snapshot(delta=True))
    view = look(tmp_path)
    assert found(label_value("com.example/later")) == "com.example/later"
