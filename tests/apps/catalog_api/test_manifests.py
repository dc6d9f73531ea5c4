"""Registries as manifests over HTTP, on one machine: checked by anybody, written by whoever may."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import yaml

from tests.apps.catalog_api.machine import Machine, document, osv
from tests.apps.standalone.process import Reply
from thv.apps.catalog_api.manifest_schemas import CheckedManifest, MadeRegistry, SwitchedRegistry
from thv.domain.canonical import JsonObject

pytestmark = [pytest.mark.flows, pytest.mark.xdist_group("catalog-machine")]

MADE = "/api/v1/namespaces/production/registries"
CHECK = "/api/v1/registries/production/validate"


def a_manifest(name: str, **source: Any) -> JsonObject:
    block = source or {"url": {"url": "https://registry.example.com/servers.json"}}
    kind = next(iter(block)).lower()
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": name},
        "spec": {"source": {"type": kind, **block}},
    }


def of_file(machine: Machine, name: str) -> JsonObject:
    """Of an import of its namespace, which is the one file that a role lets somebody name."""
    path = machine.home / "data" / "imports" / "production" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(**{f"of-{name}": osv()})))
    return a_manifest(name, file={"path": f"imports/production/{name}.json"})


def wrong(reply: Reply) -> dict[str, str]:
    """What is said of each field."""
    assert reply.status == 400, reply.json
    return {each["location"]: each["message"] for each in reply.json["errors"]}


def shaped(body: Any, shape: type[Any]) -> None:
    assert msgspec.to_builtins(msgspec.convert(body, shape)) == body


# ---------------------------------------------------------------- checked


def test_whoever_may_write_nothing_learns_what_is_wrong_with_a_manifest(machine: Machine) -> None:
    bad = a_manifest("Bad_Name", git={"repository": "/srv/x.git", "branch": "a..b"})
    bad["spec"]["syncPolicy"] = {"interval": "5s"}
    found = wrong(machine.ask("POST", CHECK, bad, by="reader"))
    assert "lower case letters, digits" in found["body.metadata.name"]
    assert "http, https or ssh URL" in found["body.spec.source.git.repository"]
    assert 'must not contain spaces or ".."' in found["body.spec.source.git.branch"]
    assert found["body.spec.syncPolicy.interval"] == (
        "spec.syncPolicy.interval must be at least 1m and at most 720h"
    )
    unknown = a_manifest("corp")
    unknown["spec"]["sauce"] = 1
    assert "spec.sauce" in machine.ask("POST", CHECK, unknown, by="reader").json["error"]["message"]


def test_a_manifest_that_is_right_comes_back_as_yaml(machine: Machine) -> None:
    reply = machine.ask("POST", CHECK, a_manifest("corp"), by="reader", accept="application/yaml")
    assert reply.headers["content-type"] == "application/yaml"
    told = yaml.safe_load(reply.body)
    assert told["metadata"] == {"name": "corp", "namespace": "production"}
    again = machine.ask("POST", CHECK, reply.body, by="reader", content_type="application/yaml")
    assert again.json["manifest"] == told
    shaped(again.json, CheckedManifest)
    assert again.json["warnings"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "ConfigMap"}, "body.kind"),
        ({"apiVersion": "v1"}, "body.apiVersion"),
        ({"metadata": {"name": "corp", "namespace": "other"}}, "body.metadata.namespace"),
        ({"metadata": {}}, "body.metadata.name"),
    ],
)
def test_what_is_no_registry_of_the_namespace_is_refused(
    machine: Machine, change: JsonObject, field: str
) -> None:
    assert field in wrong(machine.ask("POST", CHECK, {**a_manifest("corp"), **change}, by="admin"))


# ---------------------------------------------------------------- made


def test_from_a_manifest_to_a_registry_that_serves(machine: Machine) -> None:
    manifest = of_file(machine, "given")
    tried = machine.ask("POST", f"{MADE}?dry_run=true", manifest, by="admin")
    assert (tried.status, tried.json["dry_run"]) == (200, True)
    assert machine.ask("GET", f"{MADE}/given", by="admin").status == 404
    made = machine.ask("POST", f"{MADE}?wait=30", manifest, by="admin")
    assert made.status == 201, made.json
    assert made.headers["location"] == f"{MADE}/given"
    shaped(made.json, MadeRegistry)
    assert made.json["registry"]["phase"] == "Ready"
    described = machine.ask("GET", f"{MADE}/given", by="reader")
    assert described.json["server_count"] == 1
    taken = machine.ask("POST", MADE, manifest, by="admin")
    assert (taken.status, taken.json["error"]["code"]) == (409, "REGISTRY_EXISTS")
    assert taken.json["errors"][0]["location"] == "body.metadata.name"


def test_who_may_not_make_registries_makes_none(machine: Machine) -> None:
    reply = machine.ask("POST", MADE, a_manifest("never"), by="reader")
    assert (reply.status, reply.json["error"]["code"]) == (403, "NAMESPACE_ACCESS_DENIED")
    trusted = a_manifest("never")
    trusted["spec"]["trustLevel"] = "trusted"
    reply = machine.ask("POST", MADE, trusted, by="maker")
    assert reply.status == 403
    assert machine.ask("GET", f"{MADE}/never", by="admin").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "{home}/hidden-secret.json",
        "/etc",
        "imports/hidden/x.json",
        "imports/production/../hidden/x.json",
        "imports/production/..",
        "{home}/data/imports/production/x.json",
    ],
)
def test_a_role_in_a_namespace_reads_no_file_of_the_machine(machine: Machine, path: str) -> None:
    manifest = a_manifest("thief", file={"path": path.format(home=machine.home)})
    for query in ("", "?dry_run=true"):
        reply = machine.ask("POST", MADE + query, manifest, by="admin")
        assert (reply.status, reply.json["error"]["code"]) == (403, "FORBIDDEN")
        assert reply.json["error"]["details"]["field"] == "spec.source.file.path"
    assert machine.ask("GET", f"{MADE}/thief", by="admin").status == 404


# ---------------------------------------------------------------- read


def test_a_manifest_can_be_read_and_applied_elsewhere(machine: Machine) -> None:
    manifest = of_file(machine, "copied")
    assert machine.ask("POST", f"{MADE}?wait=30", manifest, by="admin").status == 201
    told = machine.ask("GET", f"{MADE}/copied/manifest", by="reader").json
    assert set(told) == {"apiVersion", "kind", "metadata", "spec"}
    assert told["metadata"] == {"name": "copied", "namespace": "production"}
    assert told["spec"]["source"] == manifest["spec"]["source"]
    text = machine.ask(
        "GET", f"{MADE}/copied/manifest", by="reader", accept="application/yaml"
    ).body
    assert yaml.safe_load(text) == told


def test_nobody_reads_a_manifest_without_the_right(machine: Machine) -> None:
    place = "/api/v1/namespaces/hidden/registries/secret/manifest"
    assert machine.ask("GET", place, by="reader").status == 403
    assert machine.ask("GET", place).status == 401


# ---------------------------------------------------------------- switched


def test_suspended_with_a_reason_and_resumed(machine: Machine) -> None:
    assert machine.ask("POST", f"{MADE}?wait=30", of_file(machine, "led"), by="admin").status == 201
    off = machine.ask("POST", f"{MADE}/led/suspend", {"reason": "moving house"}, by="admin")
    assert (off.status, off.json["suspended"]) == (200, True)
    shaped(off.json, SwitchedRegistry)
    told = machine.ask("GET", f"{MADE}/led/manifest", by="reader").json
    assert told["metadata"]["annotations"] == {
        "toolhive.stacklok.io/suspended-because": "moving house"
    }
    assert told["spec"]["syncPolicy"]["enabled"] is False
    machine.server.until(
        lambda: machine.ask("GET", f"{MADE}/led", by="reader").json["suspended"] is True
    )
    again = machine.ask("POST", f"{MADE}/led/suspend", by="admin")
    assert again.json["suspended"] is True
    on = machine.ask("POST", f"{MADE}/led/resume", by="admin")
    assert (on.status, on.json["suspended"]) == (200, False)
    told = machine.ask("GET", f"{MADE}/led/manifest", by="reader").json
    assert "annotations" not in told["metadata"]
    assert told["spec"]["syncPolicy"]["enabled"] is True


@pytest.mark.parametrize("verb", ["suspend", "resume"])
def test_who_may_not_change_registries_switches_none(machine: Machine, verb: str) -> None:
    place = f"/api/v1/namespaces/tools/registries/main/{verb}"
    reply = machine.ask("POST", place, by="deployer")
    assert (reply.status, reply.json["error"]["code"]) == (403, "NAMESPACE_ACCESS_DENIED")
    missing = machine.ask("POST", f"{MADE}/nope/{verb}", by="admin")
    assert (missing.status, missing.json["error"]["code"]) == (404, "REGISTRY_NOT_FOUND")


def test_a_reason_is_a_short_text(machine: Machine) -> None:
    for body, field in (({"reason": 1}, "body.reason"), ({"why": "x"}, "body.why")):
        reply = machine.ask("POST", "/api/v1/namespaces/production/registries/x/suspend", body, by="admin")  # fmt: skip
        assert field in wrong(reply)
