"""A client that was made of the official document alone: every answer is one of that document, and the same as theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import yaml

from tests.peers.generated import Generated
from tests.peers.official import META, NAMESPACE, Answer, Json, Official
from tests.peers.ours import follower
from tests.peers.programs import document

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("official"),
    pytest.mark.requirement("API-06", "REG-05"),
]

LIST = "GET /v0.1/servers"
VERSIONS = "GET /v0.1/servers/{serverName}/versions"
ONE = "GET /v0.1/servers/{serverName}/versions/{version}"
DEMO = f"{NAMESPACE}/demo"


class Clients(NamedTuple):
    """The same client of the official registry, and of ours that reads it."""

    theirs: Generated
    ours: Generated

    def ask(self, operation: str, **parameters: Any) -> tuple[Answer, Answer]:
        return self.theirs(operation, **parameters), self.ours(operation, **parameters)


@pytest.fixture(scope="module")
def clients(official: Official, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    for version in ("1.0.0", "1.10.0", "1.2.0", "2.0.0-rc.1+build.5"):
        official.publish("demo", version, title="Demo")
    official.set_status("demo", "1.2.0", "deprecated", "use 1.10.0")
    described: Json = yaml.safe_load(document("openapi.yaml").read_text())
    with follower(tmp_path_factory.mktemp("ours")) as ours:
        asking = ours.add("official", official.url, "--versions", "all")
        yield Clients(Generated(described, official), Generated(described, asking))


def facts(item: Json) -> Json:
    """An item without what each registry says in its own words: its own key, its own time of change."""
    official = {key: value for key, value in item["_meta"][META].items() if key != "updatedAt"}
    return {"server": item["server"], "official": official}


def listed(answer: Answer) -> list[Json]:
    return [facts(item) for item in answer.body["servers"]]


def in_order(items: list[Json]) -> list[Json]:
    """By name and version: each registry orders text, and versions of a name, in a way of its own."""
    return sorted(items, key=lambda item: (item["server"]["name"], item["server"]["version"]))


def walked(client: Generated, **parameters: Any) -> list[Json]:
    """Every item of a list, by its cursors."""
    found: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client(LIST, **parameters, **cursor)
        found += listed(answer)
        following = answer.body["metadata"].get("nextCursor")
        if not following:
            return in_order(found)
        cursor = {"cursor": following}


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 2},
        {"limit": 3, "version": "latest"},
        {"limit": 100, "search": "DEMO"},
        {"search": "demo", "version": "latest"},
        {"version": "1.10.0"},
        {"search": "%%%"},
        {"updated_since": "2020-01-01T00:00:00Z", "limit": 2},
        {"include_deleted": True},
    ],
)
def test_lists_are_the_same(clients: Clients, parameters: dict[str, Any]) -> None:
    theirs = walked(clients.theirs, **parameters)
    assert walked(clients.ours, **parameters) == theirs


def test_each_version_is_the_same(clients: Clients) -> None:
    for item in walked(clients.theirs):
        name, version = item["server"]["name"], item["server"]["version"]
        for asked in (version, "latest"):
            theirs, ours = clients.ask(ONE, serverName=name, version=asked)
            assert facts(ours.body) == facts(theirs.body)


def test_versions_are_the_same(clients: Clients) -> None:
    theirs, ours = clients.ask(VERSIONS, serverName=DEMO)
    assert in_order(listed(ours)) == in_order(listed(theirs))
    assert ours.body["metadata"] == theirs.body["metadata"]


def test_what_is_not_there_is_missed_in_the_words_of_the_document(clients: Clients) -> None:
    for operation, parameters, said in (
        (ONE, {"serverName": "com.example/nope", "version": "latest"}, "Server not found"),
        (ONE, {"serverName": DEMO, "version": "9.9.9"}, "Server version not found"),
        (VERSIONS, {"serverName": "com.example/nope"}, "Server not found"),
    ):
        answer = clients.ours(operation, **parameters)
        assert (answer.status, answer.body["error"]) == (404, said)


@pytest.mark.parametrize("operation", ["PUT", "DELETE"])
def test_what_is_optional_is_not_implemented(clients: Clients, operation: str) -> None:
    path = ONE.removeprefix("GET ")
    body = {"name": DEMO, "description": "-", "version": "1.0.0"} if operation == "PUT" else None
    answer = clients.ours(f"{operation} {path}", body, serverName=DEMO, version="1.0.0")
    assert answer.status == 501
    assert clients.ours("POST /v0.1/publish", {"name": DEMO}).status == 501
