"""The sample registries that ship with the package: valid, readable, and varied enough to show everything."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from thv.data import paths, read
from thv.domain.entry import Entry, Status
from thv.domain.facts import Facts, facts_of
from thv.formats.documents import DocumentReader, FolderReader, Found
from thv.formats.folder import parse_file
from thv.formats.schemas import schema_findings, toolhive_findings
from thv.formats.taxonomy import load_taxonomy
from thv.sources.folder import is_entry

TOOLHIVE, COMMUNITY = "samples/toolhive/registry.json", "samples/community/servers.json"


def platform() -> dict[str, bytes]:
    """The files of the folder sample by their relative paths."""
    top = "samples/platform/"
    return {path.removeprefix(top): read(path) for path in paths("samples/platform")}


def entries_of(name: str) -> list[Entry]:
    reader = DocumentReader()
    items = [*reader.feed(read(name)), *reader.close()]
    assert all(isinstance(item, Found) for item in items), items
    return [item.entry for item in items if isinstance(item, Found)]


def folder_entries() -> list[Entry]:
    reader = FolderReader()
    items = [reader.read(path, parse_file(path, content)) for path, content in platform().items()]
    assert all(isinstance(item, Found) for item in items), items
    return [item.entry for item in items if isinstance(item, Found)]


def facts() -> list[Facts]:
    taxonomy = load_taxonomy(read("taxonomy.json"))
    entries = [*entries_of(TOOLHIVE), *entries_of(COMMUNITY), *folder_entries()]
    return [facts_of(entry, taxonomy) for entry in entries]


def test_every_sample_entry_is_read() -> None:
    assert len(entries_of(TOOLHIVE)) == 19
    assert len(entries_of(COMMUNITY)) == 18
    assert len(folder_entries()) == 6


def test_the_folder_sample_holds_entries_and_nothing_else() -> None:
    assert all(is_entry(path) for path in platform())


def test_the_samples_keep_the_published_schemas() -> None:
    registry = json.loads(read(TOOLHIVE))
    assert toolhive_findings(registry) == []
    assert toolhive_findings(as_registry(platform())) == []
    for item in json.loads(read(COMMUNITY))["servers"]:
        assert schema_findings(item["server"]) == []


def test_the_samples_show_everything_that_differs_between_servers() -> None:
    rows = facts()
    assert {row.kind for row in rows} == {"container", "remote", "package"}
    assert {row.transport for row in rows} == {"stdio", "sse", "streamable-http"}
    assert {row.tier for row in rows} == {"Official", "Community", ""}
    assert {row.status for row in rows} == {Status.ACTIVE, Status.DEPRECATED}
    assert len({row.category for row in rows}) >= 12
    assert sum(row.category_derived for row in rows) >= 5
    assert sum(row.category == "" for row in rows) <= 2
    assert max(Counter(row.name for row in rows).values()) >= 3
    schemes = {row.reference.partition("://")[0] for row in rows if row.kind == "package"}
    assert schemes == {"npx", "uvx"}


def test_exactly_one_version_of_a_name_is_the_latest() -> None:
    latest = Counter(
        item["server"]["name"]
        for item in json.loads(read(COMMUNITY))["servers"]
        if item["_meta"]["io.modelcontextprotocol.registry/official"]["isLatest"]
    )
    names = {item["server"]["name"] for item in json.loads(read(COMMUNITY))["servers"]}
    assert dict(latest) == dict.fromkeys(names, 1)


def test_no_sample_holds_a_secret() -> None:
    for name in (TOOLHIVE, COMMUNITY):
        for secret in _secrets(json.loads(read(name))):
            assert not secret.keys() & {"default", "value"}, secret


def test_the_samples_keep_the_originals_of_the_schemas() -> None:
    real = os.environ.get("THV_REAL_DATA")
    if not real:
        pytest.skip("THV_REAL_DATA is not set: samples are checked against the restated schemas")
    schemas = Path(real) / "schemas"
    legacy = schemas / "toolhive-legacy" / "toolhive-legacy-registry.schema.2026-05.json"
    # The validator's regular expressions know no \0; without it the pattern means the same for JSON text.
    rules = json.loads(legacy.read_text().replace(r"^(/[^/\\0]+)+/?$", "^(/[^/]+)+/?$"))
    toolhive = jsonschema_rs.validator_for(rules)
    for document in (json.loads(read(TOOLHIVE)), as_registry(platform())):
        assert [error.message for error in toolhive.iter_errors(document)] == []
    newest = (schemas / "upstream" / "server.schema.2025-12-11.json").read_text()
    official = jsonschema_rs.validator_for(json.loads(newest))
    for item in json.loads(read(COMMUNITY))["servers"]:
        assert [error.message for error in official.iter_errors(item["server"])] == []


def as_registry(folder: dict[str, bytes]) -> dict[str, Any]:
    """The folder as one ToolHive document."""
    servers = {path.split("/")[0]: parse_file(path, content) for path, content in folder.items()}
    document = copy.deepcopy(json.loads(read(TOOLHIVE)))
    return {**document, "servers": servers, "remote_servers": {}, "groups": []}


def _secrets(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("secret") is True or value.get("isSecret") is True:
            yield value
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item)


def test_the_samples_are_plain_json() -> None:
    for name in (TOOLHIVE, COMMUNITY, "taxonomy.json"):
        msgspec.json.decode(read(name), strict=True)
