from __future__ import annotations

import json

import msgspec
import pytest

from thv.domain.errors import Code, ThvError
from thv.sources.envelope import name_if_deleted, parse_envelope

OFFICIAL = "io.modelcontextprotocol.registry/official"


@pytest.mark.parametrize(
    ("metadata", "cursor", "total"),
    [
        ({"nextCursor": "a:1", "count": 2}, "a:1", None),
        ({"next_cursor": "b", "total_count": 9, "filtered_count": 4}, "b", 4),
        ({"next_cursor": None, "total_count": 9}, "", 9),
        ({"nextCursor": ""}, "", None),
        ({"nextCursor": 17, "total_count": "many"}, "17", None),
        ({"count": "two", "more": [1]}, "", None),
        (None, "", None),
    ],
)
def test_an_envelope_says_where_to_go_on(metadata: object, cursor: str, total: int | None) -> None:
    page = {"servers": [{"a": 1}, 2], "metadata": metadata, "other": {}}
    found = parse_envelope(json.dumps(page).encode(), "page 1")
    assert [bytes(item) for item in found.items] == [b'{"a": 1}', b"2"]
    assert (found.cursor, found.total) == (cursor, total)


@pytest.mark.parametrize("body", [b'{"servers":null}', b'\xef\xbb\xbf{"servers":[]}'])
def test_an_empty_page_is_a_page(body: bytes) -> None:
    assert parse_envelope(body, "page 1").items == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"servers":{}}',
        b'{"servers":[1',
        b'{"servers":[],"metadata":[]}',
        b'{"error":"x"}',
        b'{"servers":[' + b"[" * 200_000 + b"]" * 200_000 + b"]}",
    ],
)
def test_what_is_no_page_is_named(body: bytes) -> None:
    with pytest.raises(ThvError, match=r"^page 7 of x is no page of a registry API") as caught:
        parse_envelope(body, "page 7 of x")
    assert caught.value.code is Code.FORMAT_INVALID
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({"server": {"name": "a/b"}, "_meta": {OFFICIAL: {"status": "deleted"}}}, "a/b"),
        ({"server": {"name": "a/b", "status": "deleted"}}, "a/b"),
        ({"name": "a/b", "status": "deleted"}, "a/b"),
        ({"server": {"name": "a/b"}, "_meta": {OFFICIAL: {"status": "active"}}}, ""),
        ({"server": {"name": "a/b"}}, ""),
        ({"server": {"name": 5}, "_meta": {OFFICIAL: {"status": "deleted"}}}, ""),
        ({"server": {"name": "a/b"}, "_meta": {OFFICIAL: "deleted"}}, ""),
        ([], ""),
        ("x", ""),
    ],
)
def test_deleted_entries_are_found(item: object, name: str) -> None:
    assert name_if_deleted(msgspec.Raw(json.dumps(item).encode())) == name
