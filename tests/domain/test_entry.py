from __future__ import annotations

from typing import Any

import msgspec
import pytest

from thv.domain.canonical import JsonObject
from thv.domain.entry import (
    OFFICIAL_META,
    PUBLISHER_META,
    TOOLHIVE_PUBLISHER,
    Entry,
    Status,
    without_volatile,
)

IMAGE = "ghcr.io/example/files:1.0.0"


def an_entry(block: Any = None, **fields: Any) -> Entry:
    server: JsonObject = {"name": "io.example/files", "version": "1.0.0"}
    if block is not None:
        server["_meta"] = {PUBLISHER_META: {TOOLHIVE_PUBLISHER: {IMAGE: block}}}
    return Entry(server=server, **fields)


def test_an_entry_is_its_name_and_version() -> None:
    entry = an_entry()
    assert (entry.name, entry.version, entry.deleted) == ("io.example/files", "1.0.0", False)


def test_an_active_entry_holds_nothing_beside_its_server() -> None:
    entry = an_entry(published_at="2025-01-01T00:00:00Z", marked_latest=True)
    assert entry.content == {"server": entry.server}


def test_what_the_registry_said_about_the_status_is_content() -> None:
    entry = an_entry(status=Status.DELETED, status_message="malware", meta={"com.example/scan": 1})
    assert entry.deleted
    assert entry.content["_meta"] == {
        "com.example/scan": 1,
        OFFICIAL_META: {"status": "deleted", "statusMessage": "malware"},
    }


def test_the_time_of_a_status_that_came_with_the_version_is_not_content() -> None:
    moment = "2025-01-01T00:00:00Z"
    entry = an_entry(published_at=moment, status_changed_at=moment)
    assert entry.content == {"server": entry.server}


@pytest.mark.parametrize(
    "entry",
    [
        an_entry(),
        an_entry({"tier": "Official"}, updated_at="2025-01-01T00:00:00Z", marked_latest=True),
        an_entry(status=Status.DEPRECATED, published_at="2025-01-01T00:00:00Z"),
        an_entry(status=Status.DELETED, status_message="gone", meta={"com.example/scan": {}}),
        an_entry(published_at="2025-01-01T00:00:00Z", status_changed_at="2025-02-01T00:00:00Z"),
    ],
)
def test_an_entry_comes_back_from_its_content_and_times(entry: Entry) -> None:
    times = ("published_at", "updated_at", "marked_latest")
    content = msgspec.json.decode(msgspec.json.encode(entry.content))
    back = Entry.from_content(content, **{name: getattr(entry, name) for name in times})
    assert back == entry


@pytest.mark.parametrize(
    "changed",
    [
        an_entry({"tier": "Official", "metadata": {"stars": 2}}),
        an_entry({"tier": "Official", "metadata": {"pulls": 3, "last_updated": "2025-01-01"}}),
        an_entry({"tier": "Official", "metadata": {"kubernetes": {"uid": "1"}}}),
        an_entry({"tier": "Official"}, published_at="2025-01-01T00:00:00Z", marked_latest=True),
    ],
)
def test_what_changes_by_itself_does_not_change_the_digest(changed: Entry) -> None:
    assert changed.digest == an_entry({"tier": "Official"}).digest


@pytest.mark.parametrize(
    "changed",
    [
        an_entry({"tier": "Community"}),
        an_entry({"tier": "Official", "stars": 1}),
        an_entry({"tier": "Official", "metadata": {"license": "MIT", "stars": 1}}),
        an_entry({"tier": "Official"}, status=Status.DEPRECATED),
        an_entry({"tier": "Official"}, status=Status.DELETED),
        an_entry({"tier": "Official"}, status=Status.DELETED, status_message="spam"),
        an_entry({"tier": "Official"}, meta={"com.example/scan": {"findings": 0}}),
    ],
)
def test_everything_else_changes_the_digest(changed: Entry) -> None:
    assert changed.digest != an_entry({"tier": "Official"}).digest


def test_leaving_out_volatile_fields_changes_nothing_in_place() -> None:
    content = an_entry({"metadata": {"stars": 1, "license": "MIT"}}).content
    before = msgspec.json.encode(content)
    settled = without_volatile(content)
    publisher = settled["server"]["_meta"][PUBLISHER_META]
    assert publisher == {TOOLHIVE_PUBLISHER: {IMAGE: {"metadata": {"license": "MIT"}}}}
    assert msgspec.json.encode(content) == before


@pytest.mark.parametrize("block", ["text", None, [], {"metadata": "text"}, {"metadata": None}])
def test_a_block_of_another_shape_is_content_as_it_is(block: Any) -> None:
    content = an_entry({"x": 1}).content
    content["server"]["_meta"][PUBLISHER_META][TOOLHIVE_PUBLISHER][IMAGE] = block
    assert without_volatile(content) == content
