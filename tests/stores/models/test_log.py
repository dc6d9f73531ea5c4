from __future__ import annotations

from pathlib import Path

import pytest

from tests.stores.models.world import World, an_entry
from thv.domain.snapshot import SnapshotRef
from thv.domain.taxonomy import Category, Taxonomy
from thv.stores.models import log
from thv.stores.models.folder import Folder, connect
from thv.stores.models.publish import content_tag

pytestmark = pytest.mark.anyio
MOST = 5
OTHER = Taxonomy([Category(name="demo", display_name="", description="", words=("what",))])
"""Every row looks otherwise, so that a model is built anew."""


@pytest.mark.parametrize(("changes", "is_known"), [(MOST, True), (MOST + 1, False), (40, False)])
async def test_a_log_that_would_be_too_long_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: int, is_known: bool
) -> None:
    monkeypatch.setattr(log, "CHANGES", MOST)
    world = World(*(an_entry(f"com.example/old{number}") for number in range(3)))
    before = world.snapshot()
    await world.apply(tmp_path, before)
    world.put(*(an_entry(f"com.example/new{number:02}") for number in range(changes)))
    after = world.snapshot()
    assert (await world.apply(tmp_path, after, taxonomy=OTHER)).how == "full"
    assert _followers_of(tmp_path, before) == (changes if is_known else None)
    assert _followers_of(tmp_path, after) == 0


def _followers_of(path: Path, ref: SnapshotRef) -> int | None:
    """How many changes are behind this content, None when nobody remembers it."""
    build = Folder(path).current()
    assert build is not None
    connection = connect(build)
    try:
        place = log.position_of(connection, content_tag(ref))
        return None if place is None else len(log.read(connection, place, 1000))
    finally:
        connection.close()
