"""A source that is tried out over HTTP before there is a registry: for whoever may make one, within limits."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.apps.catalog_api.machine import Machine, document, osv, weather
from tests.apps.catalog_api.test_manifests import a_manifest, wrong
from thv.apps.catalog_api.manifest_schemas import RegistryPreview
from thv.domain.canonical import JsonObject

pytestmark = [
    pytest.mark.flows,
    pytest.mark.xdist_group("catalog-machine"),
    pytest.mark.requirement("REG-09"),
]

TRY = "/api/v1/registries/production/preview"
"""`maker` may make registries there; `reader` may not."""


def tried(machine: Machine, manifest: JsonObject, by: str = "maker") -> JsonObject:
    reply = machine.ask("POST", TRY, manifest, by=by)
    assert reply.status == 200, reply.json
    body: Any = reply.json
    assert msgspec.to_builtins(msgspec.convert(body, RegistryPreview)) == body
    found: JsonObject = body
    return found


def test_a_source_is_read_and_nothing_is_made(machine: Machine) -> None:
    path = machine.home / "data" / "imports" / "production" / "tried.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(osv=osv(), weather=weather())))
    wanted = a_manifest("tried", file={"path": "imports/production/tried.json"})
    wanted["spec"]["filter"] = {"exclude": {"tags": ["web"]}}
    found = tried(machine, wanted)
    assert (found["outcome"], found["format"], found["entries"]) == ("read", "toolhive", 2)
    assert (found["taken"], found["filtered"], len(found["first"])) == (1, 1, 1)
    assert found["left_out"][0]["rules"] == ["filter.exclude.tags"]
    names = [each["metadata"]["name"] for each in machine.objects("production", "mcpreg")]
    assert "tried" not in names


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://169.254.169.254/latest/meta-data", "ADDRESS_DENIED"),
        ("https://127.0.0.1:1/servers.json", "ADDRESS_DENIED"),
        ("https://[::ffff:10.0.0.1]/servers.json", "ADDRESS_DENIED"),
        ("https://registry.invalid/servers.json", "SOURCE_UNREACHABLE"),
    ],
)
def test_what_a_sync_would_not_reach_is_not_reached(machine: Machine, url: str, code: str) -> None:
    found = tried(machine, a_manifest("tried", url={"url": url}))
    assert (found["outcome"], found["error"]["code"], found["entries"]) == ("failed", code, 0)


def test_a_secret_is_read_with_the_rights_of_the_caller(machine: Machine) -> None:
    source = {"url": "https://registry.invalid/s.json", "authSecret": {"name": "unknown"}}
    found = tried(machine, a_manifest("tried", url=source))
    assert found["error"]["code"] == "FORBIDDEN"
    assert "mia may not get" in found["error"]["message"]


def test_files_of_the_machine_are_no_sources_of_roles(machine: Machine) -> None:
    reply = machine.ask("POST", TRY, a_manifest("tried", file={"path": "/etc/passwd"}), by="maker")
    assert (reply.status, reply.json["error"]["code"]) == (403, "FORBIDDEN")


def test_it_is_for_those_who_may_make_registries(machine: Machine) -> None:
    wanted = a_manifest("tried")
    assert machine.ask("POST", TRY, wanted, by="reader").status == 403
    assert machine.ask("POST", TRY, wanted).status == 401
    elsewhere = machine.ask("POST", "/api/v1/registries/tools/preview", wanted, by="maker")
    assert elsewhere.status == 403


def test_what_is_wrong_with_a_manifest_is_said_before_anything_is_read(machine: Machine) -> None:
    bad = a_manifest("tried", url={"url": "ftp://registry.example.com/"})
    assert "body.spec.source.url.url" in wrong(machine.ask("POST", TRY, bad, by="maker"))
