"""Whatever is asked, the answers are what the documents say: cases that schemathesis makes of the documents.

`THV_CASES=5000` asks that many instead of a few hundred, of every place; with THV_REAL_DATA a dump of the
official registry is a place too, once without the entries that validation complains of and once whole.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.apps.registry_api.asking import Reply, Rules
from tests.apps.registry_api.places import Place, Site
from tests.apps.registry_api.serving import serving
from tests.formats.real import entries
from tests.stores.models.world import World
from tests.test_samples import COMMUNITY, TOOLHIVE, entries_of, folder_entries
from thv.apps.kit.http.connection import Responder
from thv.apps.registry_api.official_schemas import OFFICIAL_SCHEMAS
from thv.domain.entry import OWN_META, Entry
from thv.domain.text import toolhive_key
from thv.formats.schemas import schema_findings
from thv.formats.validation import Severity, validate_official

pytestmark = [pytest.mark.flows, pytest.mark.anyio]

ASKED = os.environ.get("THV_CASES", "300")
CASES = int(ASKED) if ASKED.isdigit() else 5000
DUMP = "upstream-official-dumps/2025-12-18.wrapped.json"
OFFICIAL_DOCUMENT = "schemas/upstream/registry-api.openapi.2026-04-25.yaml"
HEALTH_OF_STRATEGIES = list(HealthCheck)


class Asked(msgspec.Struct, frozen=True):
    """A base to ask, and what is known of its content."""

    base: str
    entries: list[Entry]
    named: frozenset[str] = frozenset()
    """Names of entries that validation complains of, in both spellings."""


class Known(msgspec.Struct, frozen=True):
    """Values that lead to something."""

    versions: dict[str, list[str]]
    groups: list[str]
    tools: list[str]
    filters: dict[str, list[str]]


# ---------------------------------------------------------------- the places


@contextmanager
def samples(path: Path) -> Iterator[tuple[Callable[[], Responder], list[Asked]]]:
    site = Site(path)
    held = {
        "toolhive": entries_of(TOOLHIVE),
        "community": entries_of(COMMUNITY),
        "platform": folder_entries(),
    }
    for name, found in held.items():
        asyncio.run(site.add(name, World(*found), api={"anonymousRead": True}))
    every = [entry for found in held.values() for entry in found]
    asked = [Asked(f"/r/default/{name}", found) for name, found in held.items()]
    yield lambda: site.client().app, [*asked, Asked("", every)]


@contextmanager
def dump(path: Path, found: list[Entry]) -> Iterator[tuple[Callable[[], Responder], list[Asked]]]:
    place = Place(path / "dump", World(*found))
    asyncio.run(place.sync())
    named = {entry.name for entry in found if is_faulty(entry)}
    both = frozenset({*named, *(toolhive_key(name) for name in named)})
    yield place.app, [Asked("", found, both)]


def is_faulty(entry: Entry) -> bool:
    return any(found.severity is Severity.ERROR for found in validate_official(entry.server))


# ---------------------------------------------------------------- what is asked


def known_values(base_url: str, asked: Asked) -> Known:
    versions: dict[str, list[str]] = {}
    for entry in asked.entries:
        versions.setdefault(entry.name, ["latest"]).append(entry.version)
    chosen = random.Random(1).sample(sorted(versions), min(150, len(versions)))
    names = {name: versions[name] for name in chosen}
    keys = {toolhive_key(name): found for name, found in names.items()} if asked.base else {}
    session = requests.Session()

    def get(path: str) -> Any:
        answer = session.get(base_url + asked.base + path)
        return answer.json() if answer.status_code == 200 else {}

    tools = [tool["name"] for tool in get("/api/v1/tools?limit=50").get("tools", [])]
    groups = [group["name"] for group in get("/api/v1/groups").get("groups", [])]
    pages = [
        *(get(f"/v0.1/servers?limit={limit}") for limit in (1, 3, 50)),
        *(get(f"/api/v1/servers?{query}") for query in ("limit=2", "limit=7&version=all")),
        get("/api/v1/tools?limit=1"),
    ]
    told = [page.get("metadata", {}) for page in pages]
    cursors = [each[key] for each in told for key in ("nextCursor", "next_cursor") if key in each]
    words = sorted({word for name in names for word in name.replace("/", ".").split(".")})[:200]
    filters = {
        "cursor": cursors,
        "search": words,
        "tools": tools,
        "category": ["web", "security", "database"],
        "tier": ["Official", "community"],
        "transport": ["stdio", "sse,streamable-http"],
        "labelSelector": ["tier=Official", "category notin (web)", "!team"],
        "updated_since": ["2025-10-01T00:00:00Z", "2025-12-01T12:00:00.5+02:00"],
    }
    return Known({**names, **keys}, groups, tools, filters)


@st.composite
def cases(draw: st.DrawFn, operation: Any, known: Known) -> Case[Any]:
    """A case of the document, most often about something that is there."""
    modes = [GenerationMode.POSITIVE] * 2
    if operation.query and operation.method == "get":
        modes.append(GenerationMode.NEGATIVE)
    case: Case[Any] = draw(operation.as_strategy(generation_mode=draw(st.sampled_from(modes))))
    if draw(st.integers(0, 9)) < 8:
        _lead(draw, case, known)
    return case


def _lead(draw: st.DrawFn, case: Case[Any], known: Known) -> None:
    """Puts in what leads to something."""
    path = case.path_parameters or {}
    for key in ("serverName", "name"):
        if key in path:
            name = draw(st.sampled_from(sorted(known.versions)))
            path[key] = quote(name, safe="")
            for where, version in ((path, "version"), (case.query or {}, "base")):
                if version in where:
                    where[version] = quote(draw(st.sampled_from(known.versions[name])), safe="")
    for key, values in (("group", known.groups), ("tool", known.tools)):
        if key in path and values:
            path[key] = quote(draw(st.sampled_from(values)), safe="")
    query = case.query or {}
    for key, values in known.filters.items():
        if key in query and values:
            query[key] = draw(st.sampled_from(values))


def checked(
    case: Case[Any], base_url: str, session: requests.Session, asked: Asked, rules: Rules
) -> int:
    """Asks; the status. Whatever comes back is held against the document, by schemathesis and by ourselves."""
    response = case.call(base_url=base_url + asked.base, session=session)
    checks = [status_code_conformance, content_type_conformance, response_headers_conformance]
    if case.operation.method == "get":
        checks.append(not_a_server_error)
        if not asked.named:
            checks.append(response_schema_conformance)
        _check_by_ourselves(response, asked, rules)
    else:
        assert response.status_code in (501, 400, 414), response.status_code
    case.validate_response(response, checks=checks)
    return response.status_code


def _check_by_ourselves(response: Any, asked: Asked, rules: Rules) -> None:
    headers = {name.lower(): values[0] for name, values in response.headers.items()}
    headers.pop("content-encoding", None)
    target = response.request.path_url
    body = response.content
    kind = headers.get("content-type", "").partition(";")[0]
    if kind == "application/json" and response.status_code == 200:
        value = without(response.json(), asked.named)
        if value is None:
            return
        body = msgspec.json.encode(value)
        if target.removeprefix(asked.base).startswith("/v0"):
            _check_servers(value)
    rules.check("GET", target, Reply(response.status_code, headers, body))


def without(value: Any, named: frozenset[str]) -> Any:
    """A body without the servers that validation complains of, None when it is about one of them."""
    if not named or not isinstance(value, dict):
        return value
    if is_named(value, named):
        return None
    return {
        key: [item for item in part if not is_named(item, named)]
        if key in ("servers", "remote_servers")
        else part
        for key, part in value.items()
    }


def is_named(item: Any, named: frozenset[str]) -> bool:
    if not isinstance(item, dict):
        return False
    server = item.get("server", item)
    return isinstance(server, dict) and server.get("name") in named


def _check_servers(value: Any) -> None:
    """What the official API serves fits the schema of server.json itself, and says whose it is."""
    for item in value.get("servers", [value]):
        if "server" in item and item["_meta"]:
            assert OWN_META in item["_meta"]
            status = next(iter(item["_meta"].values()))
            assert status["status"] == "deleted" or schema_findings(item["server"]) == []


# ---------------------------------------------------------------- the run


def run(base_url: str, asked: Asked, document: Any, number: int) -> dict[int, int]:
    """Asks so many cases over all operations of a document; how often each status came."""
    schema = schemathesis.openapi.from_dict(document)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    known, rules = known_values(base_url, asked), Rules(document, asked.base)
    session, statuses = requests.Session(), dict[int, int]()
    weights = [_weight(operation) for operation in operations]
    for operation, weight in zip(operations, weights, strict=True):
        share = max(1, number * weight // sum(weights))

        @settings(
            max_examples=share,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=HEALTH_OF_STRATEGIES,
            phases=[Phase.generate],
        )
        @given(case=cases(operation, known))
        def ask(case: Case[Any]) -> None:
            status = checked(case, base_url, session, asked, rules)
            statuses[status] = statuses.get(status, 0) + 1

        ask()
    return statuses


def _weight(operation: Any) -> int:
    """Most of the cases go where most can be asked."""
    if operation.method != "get":
        return 1
    return 1 + 2 * len(list(operation.query)) + 3 * len(list(operation.path_parameters))


def documents(base_url: str, base: str) -> tuple[Any, Any]:
    """The official API and our own, each as its own kind of document says it."""
    both = yaml.load(requests.get(f"{base_url}{base}/openapi.yaml").content, yaml.CSafeLoader)
    own = requests.get(f"{base_url}{base}/openapi.json").json()
    assert both == own
    return part(both, official=True), part(own, official=False)


def part(document: Any, *, official: bool) -> Any:
    paths = {
        path: item for path, item in document["paths"].items() if path.startswith("/v0") is official
    }
    return {**document, "paths": paths}


def prove(place: Any, number: int) -> dict[int, int]:
    counted: dict[int, int] = {}
    with place as (make, every), serving(make) as base_url:
        for asked in every:
            for document in documents(base_url, asked.base):
                share = number // (2 * len(every))
                for status, count in run(base_url, asked, document, share).items():
                    counted[status] = counted.get(status, 0) + count
    print(f"{sum(counted.values())} cases: {dict(sorted(counted.items()))}")
    return counted


@pytest.mark.requirement("API-02", "API-03", "API-06", "OPS-06")
def test_the_samples_are_served_as_the_documents_say(tmp_path: Path) -> None:
    counted = prove(samples(tmp_path), CASES)
    assert counted[200] > CASES // 3


@pytest.mark.requirement("API-06")
def test_the_valid_part_of_a_real_registry_is_served_as_the_documents_say(
    tmp_path: Path, real_data: Path
) -> None:
    every = entries((real_data / DUMP).read_bytes())
    valid = [entry for entry in every if not is_faulty(entry)]
    assert len(every) - len(valid) == 280
    counted = prove(dump(tmp_path, valid), CASES)
    assert counted[200] > CASES // 3


@pytest.mark.requirement("API-06")
def test_of_a_real_registry_nothing_deviates_but_what_validation_names(
    tmp_path: Path, real_data: Path
) -> None:
    counted = prove(dump(tmp_path, entries((real_data / DUMP).read_bytes())), CASES)
    assert counted[200] > CASES // 3


def test_the_schemas_are_those_of_the_official_document(real_data: Path) -> None:
    document = yaml.safe_load((real_data / OFFICIAL_DOCUMENT).read_text())
    theirs = document["components"]["schemas"]
    for name in OFFICIAL_SCHEMAS.keys() - {"ToolhiveMeta", "ServerResponse"}:
        assert OFFICIAL_SCHEMAS[name] == constraints(theirs[name]), name
    ours = {**OFFICIAL_SCHEMAS["ServerResponse"]}
    meta = {**ours["properties"]["_meta"]["properties"]}
    assert meta.pop(OWN_META)
    described = {**ours["properties"]["_meta"], "properties": meta}
    ours["properties"] = {**ours["properties"], "_meta": described}
    assert ours == constraints(theirs["ServerResponse"])


def constraints(schema: Any) -> Any:
    """A schema without what it says to people."""
    if isinstance(schema, list):
        return [constraints(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: constraints(each) for name, each in value.items()}
        if key == "properties"
        else constraints(value)
        for key, value in schema.items()
        if key not in ("description", "example", "examples")
    }
