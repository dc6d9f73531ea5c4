from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from tests.formats.strategies import few, items, servers, values
from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, OWN_META, PUBLISHER_META, Entry, Status
from thv.domain.facts import facts_of
from thv.formats.official import RejectedError, document_item, entry_of
from thv.formats.toolhive import entry_of_toolhive, placed_entry

pytestmark = pytest.mark.requirement("FMT-02")

SERVER: JsonObject = {"name": "io.example/files", "version": "1.0.0", "x-new": {"kept": True}}


def item(**official: Any) -> JsonObject:
    return {"server": SERVER, "_meta": {OFFICIAL_META: official}}


def test_an_item_of_a_page_is_an_entry_with_the_word_of_its_registry() -> None:
    entry = entry_of(
        item(
            status="deprecated",
            statusMessage="use another",
            statusChangedAt="2025-03-01T00:00:00Z",
            publishedAt="2025-01-01T00:00:00Z",
            updatedAt="2025-02-01T00:00:00Z",
            isLatest=True,
        )
    )
    assert entry == Entry(
        server=SERVER,
        status=Status.DEPRECATED,
        status_message="use another",
        status_changed_at="2025-03-01T00:00:00Z",
        published_at="2025-01-01T00:00:00Z",
        updated_at="2025-02-01T00:00:00Z",
        marked_latest=True,
    )


def test_a_flat_server_is_an_entry_about_which_nobody_said_anything() -> None:
    assert entry_of(SERVER) == Entry(server=SERVER)


def test_what_a_flat_server_carries_of_its_registry_is_lifted_out() -> None:
    meta = {PUBLISHER_META: {"tool": "x"}, OFFICIAL_META: {"status": "deleted", "isLatest": True}}
    entry = entry_of({**SERVER, "_meta": meta})
    assert entry.status is Status.DELETED
    assert entry.marked_latest
    assert entry.server == {**SERVER, "_meta": {PUBLISHER_META: {"tool": "x"}}}


def test_what_other_registries_said_is_kept_and_our_own_word_is_not() -> None:
    meta = {"com.example/scan": {"findings": 0}, OWN_META: {"trustLevel": "trusted"}}
    assert entry_of({"server": SERVER, "_meta": meta}).meta == {"com.example/scan": {"findings": 0}}


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("active", Status.ACTIVE),
        ("DELETED", Status.DELETED),
        ("retired", Status.ACTIVE),
        (None, Status.ACTIVE),
        (["deleted"], Status.ACTIVE),
    ],
)
def test_a_status_that_nobody_knows_is_active(word: Any, status: Status) -> None:
    assert entry_of(item(status=word)).status is status


@pytest.mark.parametrize("dirt", [None, 1, "x", [], {}])
def test_fields_of_another_type_are_absent(dirt: Any) -> None:
    official = dict.fromkeys(("statusMessage", "publishedAt", "updatedAt", "isLatest"), dirt)
    entry = entry_of(item(**official)) if dirt != "x" else entry_of(item(isLatest="x"))
    assert entry == Entry(server=SERVER)
    assert entry_of({"server": SERVER, "_meta": dirt}) == Entry(server=SERVER)


REJECTED: list[tuple[Any, str]] = [
    (None, "expected an object, found null"),
    ([], "expected an object, found a list"),
    (True, "expected an object, found a boolean"),
    (7, "expected an object, found a number"),
    ("x", "expected an object, found a string"),
    ({}, "name is missing"),
    ({"name": "a/b"}, "version is missing"),
    ({"name": 1, "version": "1"}, "name must be a string, found a number"),
    ({"name": "a/b", "version": None}, "version must be a string, found null"),
    ({"name": "", "version": "1"}, "name is empty"),
    ({"name": "a" * 201, "version": "1"}, "name has 201 characters, at most 200 are allowed"),
    ({"name": "a", "version": "1" * 256}, "version has 256 characters, at most 255 are allowed"),
    ({"name": "a\nb", "version": "1"}, "name contains a control character"),
    ({"name": "a", "version": "1\x00"}, "version contains a control character"),
    ({"server": {"name": "a/b"}}, "version is missing"),
    ({"server": [], "name": "a/b"}, "version is missing"),
]


@pytest.mark.parametrize(("value", "reason"), REJECTED)
def test_what_cannot_be_an_entry_is_rejected_with_a_reason(value: Any, reason: str) -> None:
    with pytest.raises(RejectedError) as caught:
        entry_of(value)
    assert str(caught.value) == reason


@pytest.mark.parametrize("version", ["", "latest", "{{VERSION}}", "2.1"])
def test_any_version_will_do(version: str) -> None:
    assert entry_of({"name": "a/b", "version": version}).version == version


# Documents -------------------------------------------------------------------------------------------------


def test_a_document_lists_an_active_entry_as_its_server() -> None:
    assert document_item(entry_of(item(status="active", publishedAt="2025-01-01"))) == SERVER


def test_a_document_says_what_the_registry_said_about_the_status() -> None:
    entry = entry_of(item(status="deleted", statusMessage="spam", publishedAt="2025-01-01"))
    official = {"status": "deleted", "statusMessage": "spam"}
    assert document_item(entry) == {**SERVER, "_meta": {OFFICIAL_META: official}}


@few
@given(items)
def test_an_entry_survives_a_document(value: Any) -> None:
    try:
        entry = entry_of(value)
    except RejectedError:
        return
    meta = entry.server.get("_meta", {"kept": True})
    # What others said beside the server has no place in a document, and an empty object not its own.
    if not entry.meta and isinstance(meta, dict) and meta:
        back = entry_of(document_item(entry))
        assert back.content == entry.content
        assert back.digest == entry.digest


# Anything at all -------------------------------------------------------------------------------------------


@few
@given(items | servers | values)
def test_reading_an_item_fails_in_no_other_way_than_by_rejecting_it(value: Any) -> None:
    value = msgspec.json.decode(msgspec.json.encode(value))
    try:
        entry = entry_of(value)
    except RejectedError:
        return
    facts_of(entry)
    assert entry.digest
    placed = placed_entry(entry)
    assert (
        entry_of_toolhive(placed.key, placed.value, section=placed.section).digest == entry.digest
    )


def test_the_groups_that_a_registry_of_ours_names_come_back() -> None:
    groups = [{"group": {"name": "home"}, "position": 0}]
    item = {
        "server": {"name": "io.example/a", "version": "1.0.0", "description": "Does a."},
        "_meta": {"io.stacklok.toolhive/registry": {"name": "corp", "groups": groups}},
    }
    entry = entry_of(item)
    assert entry.server["_meta"] == {"io.stacklok.toolhive/groups": groups}
    assert entry.meta == {}
