from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import pytest

from tests.formats.mutations import mutations
from tests.formats.real import real_data, real_documents
from tests.formats.test_validation import CONTAINER, REMOTE, SERVER
from thv.domain.canonical import JsonObject
from thv.formats.schemas import (
    CURRENT,
    releases,
    schema_findings,
    toolhive_findings,
)
from thv.formats.validation import Finding, Severity

pytestmark = pytest.mark.requirement("FMT-02")

ENVIRONMENT = {"name": "A", "isRequired": True}
PLAIN: JsonObject = {"name": "io.example/files", "description": "Keeps files", "version": "1.0.0"}
PACKAGE: JsonObject = {
    "registryType": "npm",
    "identifier": "x",
    "version": "1",
    "transport": {"type": "stdio"},
}
SNAKE: JsonObject = {
    "registry_type": "npm",
    "identifier": "x",
    "version": "1",
    "transport": {"type": "stdio"},
}

# What tells the releases apart: fields, and the releases that take them.
DIFFERENCES: list[tuple[JsonObject, str]] = [
    ({}, "2025-07-09 2025-09-16 2025-09-29 2025-10-11 2025-10-17 2025-12-11"),
    ({"packages": [PACKAGE]}, "2025-09-16 2025-09-29 2025-10-11 2025-10-17 2025-12-11"),
    ({"packages": [SNAKE]}, "2025-07-09"),
    ({"packages": [{**SNAKE, "environment_variables": [{"name": "A", "is_required": 7}]}]}, ""),
    ({"packages": [{**SNAKE, "package_arguments": [{"type": "positional", "value_hint": "x"}]}]}, "2025-07-09"),
    ({"packages": [{**PACKAGE, "unknown": 1}]}, "2025-10-11 2025-10-17 2025-12-11"),
    ({"packages": [{k: v for k, v in PACKAGE.items() if k != "version"}]}, "2025-10-11 2025-10-17 2025-12-11"),
    ({"status": "retired"}, "2025-09-29 2025-10-11 2025-10-17 2025-12-11"),
    ({"title": ""}, "2025-07-09 2025-09-16 2025-09-29"),
    ({"icons": [{}]}, "2025-07-09 2025-09-16 2025-09-29"),
    ({"website_url": "x"}, "2025-09-16 2025-09-29 2025-10-11 2025-10-17 2025-12-11"),
    ({"websiteUrl": "x"}, "2025-07-09"),
    ({"remotes": [{"type": "sse", "url": "ftp://x.y"}]}, "2025-07-09 2025-09-16 2025-09-29 2025-10-11 2025-10-17"),
    ({"remotes": [{"type": "sse", "url": "x"}]}, ""),
    ({"remotes": [{"type": "streamable-http", "url": "x"}]}, "2025-07-09 2025-09-16 2025-09-29 2025-10-11 2025-10-17"),
    ({"remotes": [{"type": "sse", "url": "https://x.y", "variables": 7}]}, "2025-07-09 2025-09-16 2025-09-29 2025-10-11 2025-10-17"),
    ({"remotes": [{"type": "sse", "url": "https://x.y", "headers": [{**ENVIRONMENT, "placeholder": 7}]}]}, "2025-07-09 2025-09-16 2025-09-29"),
    ({"remotes": [{"type": "stdio"}]}, ""),
]  # fmt: skip


def test_the_newest_release_comes_first() -> None:
    assert releases() == (
        "2025-12-11",
        "2025-10-17",
        "2025-10-11",
        "2025-09-29",
        "2025-09-16",
        "2025-07-09",
    )
    assert releases()[0] == CURRENT


@pytest.mark.parametrize(("fields", "takers"), DIFFERENCES, ids=lambda part: str(part)[:60])
def test_a_release_takes_what_it_took(fields: JsonObject, takers: str) -> None:
    taken = [
        release for release in releases()[::-1] if not schema_findings({**PLAIN, **fields}, release)
    ]
    assert taken == takers.split()


def test_a_proper_server_breaks_nothing() -> None:
    assert schema_findings(SERVER) == []


def test_a_finding_names_the_place_and_the_keyword() -> None:
    found = schema_findings({**PLAIN, "packages": [{**PACKAGE, "version": "latest"}], "name": 7})
    assert found == [
        Finding("name", '7 is not of type "string"', Severity.ERROR, "type"),
        Finding(
            "packages[0].version",
            '{"const":"latest"} is not allowed for "latest"',
            Severity.ERROR,
            "not",
        ),
    ]


def test_messages_and_findings_are_bounded() -> None:
    assert all(len(f.message) <= 300 for f in schema_findings({**PLAIN, "title": "x" * 10_000}))
    assert len(schema_findings({**PLAIN, "icons": [{}] * 1_000})) == 100


@pytest.mark.parametrize("value", [None, 7, "x", [], 2**70, True])
def test_what_is_no_object_breaks_the_schema(value: Any) -> None:
    assert schema_findings(value)
    assert toolhive_findings(value)


def test_a_proper_toolhive_document_breaks_nothing() -> None:
    document = {
        "version": "1.0.0",
        "last_updated": "2025-11-01T00:00:00Z",
        "servers": {"files": CONTAINER},
        "remote_servers": {"search": REMOTE},
        "groups": [
            {"name": "all", "description": "All that there is", "servers": {"files": CONTAINER}}
        ],
    }
    assert toolhive_findings(document) == []
    for broken in mutations([document], 300):
        toolhive_findings(broken)


# Against the published schemas -------------------------------------------------------------------------------


def published(path: str) -> jsonschema_rs.Validator:
    text = real_data(f"schemas/{path}").read_text()
    # The engine does not know this spelling of NUL.
    schema = json.loads(text.replace(r"[^/\\0]", r"[^/\\u0000]"))
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def real_servers() -> Iterator[JsonObject]:
    for path in real_documents():
        document = json.loads(path.read_text("utf-8-sig"))
        listed = (
            document
            if isinstance(document, list)
            else document.get("data", {}).get("servers", [document])
        )
        yield from (item.get("server", item) for item in listed if "image" not in item)


def real_toolhive_documents() -> Iterator[JsonObject]:
    for path in real_data("toolhive-registry-history").glob("*.json"):
        yield json.loads(path.read_text())


def assert_same_verdict(
    ours: Callable[[Any], Any], theirs: jsonschema_rs.Validator, values: list[Any]
) -> None:
    different = [value for value in values if bool(ours(value)) is theirs.is_valid(value)]
    assert different[:1] == []


@pytest.mark.flows
@pytest.mark.parametrize("release", releases())
def test_our_schema_of_a_release_gives_the_verdict_of_the_published_one(release: str) -> None:
    theirs = published(f"upstream/server.schema.{release}.json")
    servers = list(real_servers())
    assert len(servers) > 5_000
    values = [*servers, *mutations(servers, 6_000), *mutations([SERVER], 1_000)]
    assert_same_verdict(lambda value: schema_findings(value, release), theirs, values)


@pytest.mark.flows
def test_our_schema_of_toolhive_gives_the_verdict_of_the_published_one() -> None:
    theirs = published("toolhive-legacy/toolhive-legacy-registry.schema.2026-05.json")
    head = {"version": "1.0.0", "last_updated": "2025-11-01T00:00:00Z", "servers": {}}
    documents = list(real_toolhive_documents())
    containers = [entry for document in documents for entry in document["servers"].values()]
    remotes = [
        entry for document in documents for entry in document.get("remote_servers", {}).values()
    ]
    values = [
        *documents,
        *(
            {**head, "servers": {"files": entry}}
            for entry in mutations([*containers, CONTAINER], 6_000)
        ),
        *(
            {**head, "remote_servers": {"files": entry}}
            for entry in mutations([*remotes, REMOTE], 3_000)
        ),
    ]
    assert_same_verdict(toolhive_findings, theirs, values)


@pytest.mark.flows
def test_the_real_dump_breaks_the_current_schema_where_it_is_known_to() -> None:
    dump = json.loads(
        real_data("upstream-official-dumps/2025-12-18.wrapped.json").read_text("utf-8-sig")
    )
    assert len(dump) == 2794
    assert sum(bool(schema_findings(item["server"])) for item in dump) == 280


@pytest.mark.flows
def test_every_real_toolhive_document_since_july_2025_breaks_nothing() -> None:
    for path in real_data("toolhive-registry-history").glob("*.json"):
        found = toolhive_findings(json.loads(path.read_text()))
        assert bool(found) is (path.name < "2025-07"), path.name
