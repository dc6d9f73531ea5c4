"""Registries of one's own over HTTP, on one machine: what is asked is served, and what is wrong is said."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.apps.catalog_api.machine import (
    DIGEST,
    Machine,
    document,
    osv,
    request,
    wanted,
)
from tests.apps.standalone.process import Process, Reply, run
from thv.apps.catalog_api.generation_schemas import Export, Generated, Rendered
from thv.domain.canonical import JsonObject

pytestmark = [pytest.mark.flows, pytest.mark.xdist_group("catalog-machine")]

MADE = "/api/v1/registries/production"
RENDER = f"{MADE}/render"


def shaped(body: Any, shape: type[Any]) -> None:
    """Whether a body is what the OpenAPI document says of it: no member more, none of another kind."""
    read = msgspec.convert(body, shape)
    assert msgspec.to_builtins(read) == body


def one(name: str) -> str:
    return f"/api/v1/namespaces/production/registries/{name}"


def named(name: str, *servers: Any, **more: Any) -> JsonObject:
    """A request for a registry of this name."""
    metadata = {"registry_name": name, **more.pop("metadata", {})}
    return request(*servers, metadata=metadata, **more)


def code(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["error"]["code"]


def field(reply: Reply) -> Any:
    return reply.json["error"]["details"].get("field")


CHOSEN = wanted(
    "osv",
    custom_image="internal.example/osv:v1",
    custom_image_digest=DIGEST,
    tools_filter=["scan", "list"],
    tool_overrides={"scan": {"name": "corp-scan", "description": "Scan as we do"}},
    env_overrides={"LOG_LEVEL": "warn"},
    resources={"cpu": "200m", "memory": "256Mi", "cpu_limit": "1", "memory_limit": "1Gi"},
)


# ---------------------------------------------------------------- the way of a user


@pytest.mark.requirement("CAT-03", "CAT-07", "CAT-11")
def test_from_a_query_to_a_registry_of_ones_own(machine: Machine) -> None:
    found = machine.ask("GET", "/api/v1/mcp_servers?search=vulnerabilities", by="maker").json
    assert "osv" in {server["name"] for server in found["servers"]}
    export = machine.ask(
        "GET", "/api/v1/mcp_servers/osv/export?namespace=production&registry_name=loop", by="maker"
    )
    assert export.status == 200
    body = export.json
    body["servers"][0]["configuration"] |= {
        "tools_filter": ["scan"],
        "tool_overrides": {"scan": {"name": "corp-scan"}},
    }
    made = machine.ask("POST", f"{MADE}?wait=30", body, by="maker")
    assert made.status == 201, made.json
    assert made.headers["location"] == one("loop")
    assert made.json["created"] == [
        "ConfigMap/loop-data",
        "MCPToolConfig/loop-osv",
        "MCPRegistry/loop",
    ]
    shaped(made.json, Generated)
    assert made.json["registry"]["phase"] == "Ready"
    assert made.json["registry"]["api_endpoint"].endswith("/r/production/loop")
    base = "/r/production/loop"
    served = machine.ask("GET", f"{base}/api/v1/servers", by="maker").json["servers"]
    assert [(server["name"], server["tools"]) for server in served] == [("osv", ["corp-scan"])]
    official = machine.ask("GET", f"{base}/v0.1/servers", by="maker").json["servers"]
    assert [item["server"]["name"] for item in official] == ["io.github.stacklok/osv"]
    listed = machine.ask("GET", MADE, by="maker").json["registries"]
    assert ("loop", "toolhive-catalog") in {(each["name"], each["managed_by"]) for each in listed}


@pytest.mark.requirement("CAT-07")
def test_what_was_asked_for_is_served_field_by_field(machine: Machine) -> None:
    body = named("fields", CHOSEN, wanted("weather"), configuration={"enforce_tools": True})
    made = machine.ask("POST", f"{MADE}/generate?wait=30", body, by="admin")
    assert made.status == 201, made.json
    server = machine.ask("GET", "/r/production/fields/api/v1/servers/osv", by="admin").json
    assert server["image"] == "internal.example/osv:v1"
    assert server["tools"] == ["corp-scan", "list"]
    assert server["registry_info"]["version"] == "0.0.7"
    assert {each["name"]: each.get("default") for each in server["env_vars"]} == {
        "LOG_LEVEL": "warn",
        "TOKEN": None,
    }
    assert server["custom_metadata"]["toolhive.stacklok.io"]["image_digest"] == DIGEST
    config = {obj["metadata"]["name"]: obj for obj in machine.objects("production", "tc")}[
        "fields-osv"
    ]
    assert config["spec"]["toolsFilter"] == ["corp-scan", "list"]
    assert made.json["images"] == [
        {"server": "osv", "image": "internal.example/osv:v1", "digest": DIGEST},
        {"server": "weather", "image": "ghcr.io/example/weather:1.2.0"},
    ]
    assert made.json["warnings"] == [
        {
            "field": "servers[1].configuration.custom_image",
            "message": "no digest: the image can change behind the tag",
        }
    ]


def test_it_is_made_anew_against_what_it_was(machine: Machine) -> None:
    body = named("anew", CHOSEN, wanted("weather"))
    assert machine.ask("POST", f"{MADE}?wait=30", body, by="admin").status == 201
    tag = machine.ask("GET", one("anew"), by="admin").headers["etag"]
    smaller = named("anew", wanted("weather"))
    assert code(machine.ask("PUT", one("anew"), smaller, by="admin")) == (
        428,
        "PRECONDITION_REQUIRED",
    )
    stale = machine.ask("PUT", one("anew"), smaller, by="admin", if_match='"0-0"')
    assert code(stale) == (412, "REVISION_CHANGED")
    dry = machine.ask("PUT", f"{one('anew')}?dry_run=true", smaller, by="admin", if_match=tag)
    assert (dry.status, dry.json["dry_run"]) == (200, True)
    done = machine.ask("PUT", f"{one('anew')}?wait=30", smaller, by="admin", if_match=tag)
    assert done.status == 200, done.json
    served = machine.ask("GET", "/r/production/anew/api/v1/servers", by="admin").json["servers"]
    assert [server["name"] for server in served] == ["weather"]
    assert "anew-osv" not in {
        obj["metadata"]["name"] for obj in machine.objects("production", "tc")
    }
    other = machine.ask("PUT", one("anew"), named("else", wanted("osv")), by="admin", if_match=tag)
    assert (code(other), field(other)) == ((400, "INVALID_REQUEST"), "metadata.registry_name")


def test_who_may_make_and_not_delete_is_told_what_is_left(machine: Machine) -> None:
    assert machine.ask("POST", f"{MADE}?wait=30", named("left", CHOSEN), by="maker").status == 201
    tag = machine.ask("GET", one("left"), by="maker").headers["etag"]
    done = machine.ask(
        "PUT", one("left"), named("left", wanted("weather")), by="maker", if_match=tag
    )
    assert done.status == 200, done.json
    assert "MCPToolConfig/left-osv is not needed any more" in done.json["warnings"][-1]["message"]


def test_what_was_not_generated_is_not_replaced(machine: Machine) -> None:
    manifest = {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": "own", "namespace": "production"},
        "spec": {"source": {"type": "configmap", "configMap": {"name": "own"}}},
    }
    (machine.home / "own.json").write_text(json.dumps(manifest))
    assert run(machine.home, "--data", "data", "apply", "-f", "own.json").returncode == 0
    reply = machine.ask("PUT", one("own"), named("own", wanted("osv")), by="admin", if_match="*")
    assert code(reply) == (409, "RESOURCE_EXISTS")
    missing = machine.ask(
        "PUT", one("none"), named("none", wanted("osv")), by="admin", if_match="*"
    )
    assert code(missing) == (404, "REGISTRY_NOT_FOUND")


# ---------------------------------------------------------------- rendering


@pytest.mark.requirement("CAT-07")
def test_the_same_manifests_in_every_form_and_each_time(machine: Machine) -> None:
    body = named("rendered", CHOSEN, wanted("far"), wanted("weather"))

    def render(accept: str) -> Reply:
        reply = machine.ask("POST", RENDER, body, by="reader", accept=accept)
        assert reply.status == 200, reply.body
        assert reply.body == machine.ask("POST", RENDER, body, by="reader", accept=accept).body
        return reply

    told = render("application/json").json
    shaped(told, Rendered)
    assert "created" not in told
    assert told["registry"]["phase"] == "Pending"
    as_yaml = render("application/yaml")
    assert list(yaml.safe_load_all(as_yaml.body)) == told["manifests"]
    archive = zipfile.ZipFile(io.BytesIO(render("application/zip").body))
    files = {name: archive.read(name).decode() for name in archive.namelist()}
    manifests = [yaml.safe_load(text) for name, text in files.items() if name.endswith(".yaml")]
    assert manifests == told["manifests"]
    assert files["images.txt"].splitlines() == [
        "ghcr.io/example/weather:1.2.0",
        f"internal.example/osv:v1@{DIGEST}",
    ]
    sent = yaml.safe_dump(body).encode()
    again = machine.ask("POST", RENDER, sent, by="reader", content_type="application/yaml")
    assert again.json == told


def test_the_document_tells_what_is_taken_and_what_is_needed(machine: Machine) -> None:
    paths = machine.ask("GET", "/api/v1/openapi.json", by="reader").json["paths"]
    create = paths["/api/v1/registries/{namespace}"]["post"]
    taken = create["requestBody"]["content"]["application/json"]["schema"]
    assert taken == {"$ref": "#/components/schemas/GenerationRequest"}
    assert "201" in create["responses"]
    assert create["x-required-permissions"] == [
        "create mcpregistries (toolhive.stacklok.io)",
        "update mcpregistries (toolhive.stacklok.io)",
        "create configmaps (core)",
    ]
    assert set(paths["/api/v1/namespaces/{namespace}/registries/{registry}"]) == {"get", "put"}


def test_parts_of_what_is_rendered(machine: Machine) -> None:
    body = named("parts", wanted("weather"))
    only = machine.ask(
        "POST", f"{RENDER}?include=images&image_registry=mirror.corp/mcp", body, by="reader"
    )
    assert set(only.json) == {"registry", "images", "warnings", "dry_run"}
    assert only.json["images"][0]["image"] == "mirror.corp/mcp/example/weather:1.2.0"


@pytest.mark.requirement("CAT-03", "CAT-10")
def test_an_export_is_a_request_with_what_is_known(machine: Machine) -> None:
    path = "/api/v1/mcp_servers/osv/export?image_registry=mirror.corp:5000"
    exported = machine.ask("GET", path, by="reader").json
    assert list(exported) == [
        "metadata",
        "configuration",
        "servers",
        "filters",
        "definitions",
        "registry_data",
    ]
    shaped(exported, Export)
    assert exported["metadata"] == {
        "namespace": "default",
        "registry_name": "osv-registry",
        "display_name": "osv",
    }
    assert exported["configuration"] == {
        "enforce_servers": True,
        "enforce_tools": True,
        "auto_sync": False,
    }
    (server,) = exported["servers"]
    assert server["configuration"] == {
        "custom_image": "mirror.corp:5000/stackloklabs/osv-mcp/server:0.0.7",
        "tools_filter": ["scan", "query", "list"],
        "tool_overrides": {},
        "env_overrides": {},
        "resources": {},
    }
    assert (server["registry"], server["version"]) == ("tools/main", "0.0.7")
    assert exported["filters"] == {"global_tags": {"include": [], "exclude": []}}
    definition = exported["definitions"]["osv"]
    assert [tool["name"] for tool in definition["tools"]] == ["scan", "query", "list"]
    rendered = machine.ask("POST", "/api/v1/registries/default/render", exported, by="reader").json
    data = json.loads(rendered["manifests"][0]["data"]["registry.json"])
    assert data == exported["registry_data"]
    # Both spellings of the collection, and as YAML.
    other = machine.ask("GET", path.replace("mcp_servers", "servers"), by="reader")
    assert other.json == exported
    as_yaml = machine.ask("GET", path, by="reader", accept="application/yaml")
    assert yaml.safe_load(as_yaml.body) == exported


def test_an_export_of_what_runs_no_image(machine: Machine) -> None:
    exported = machine.ask("GET", "/api/v1/servers/far/export", by="reader").json
    assert "custom_image" not in exported["servers"][0]["configuration"]
    assert (
        machine.ask("POST", "/api/v1/registries/default/render", exported, by="reader").status
        == 200
    )
    wrong = machine.ask("GET", "/api/v1/servers/osv/export?tools_filter=nope", by="reader")
    assert (code(wrong), field(wrong)) == ((400, "INVALID_REQUEST"), "tools_filter")
    unnamed = machine.ask("GET", "/api/v1/servers/osv/export?registry_name=Caps", by="reader")
    assert (code(unnamed), field(unnamed)) == ((400, "INVALID_REQUEST"), "registry_name")


# ---------------------------------------------------------------- rights


@pytest.mark.requirement("CAT-09")
@pytest.mark.parametrize("by", ["reader", "deployer"])
def test_without_the_right_nothing_is_made_and_the_right_is_named(
    machine: Machine, by: str
) -> None:
    before = len(machine.objects("production", "configmaps"))
    for name in ("fresh", "own"):
        reply = machine.ask("POST", MADE, named(name, wanted("osv")), by=by)
        assert code(reply) == (403, "NAMESPACE_ACCESS_DENIED")
        assert "create mcpregistries" in reply.json["error"]["message"]
        assert field(reply) == "namespace"
    assert len(machine.objects("production", "configmaps")) == before


@pytest.mark.requirement("CAT-09")
def test_a_right_counts_where_it_was_given(machine: Machine) -> None:
    reply = machine.ask("POST", "/api/v1/registries/tools", named("x", wanted("osv")), by="maker")
    assert code(reply) == (403, "NAMESPACE_ACCESS_DENIED")
    nobody = machine.ask("POST", MADE, named("x", wanted("osv")))
    assert code(nobody) == (401, "UNAUTHENTICATED")
    unknown = machine.ask("POST", MADE, named("x", wanted("osv")), by="guessed")
    assert code(unknown) == (401, "INVALID_TOKEN")


@pytest.mark.requirement("CAT-09")
def test_what_one_may_not_see_is_not_there(machine: Machine) -> None:
    body = named("x", wanted("unseen"))
    assert code(machine.ask("POST", RENDER, body, by="reader")) == (404, "SERVER_NOT_FOUND")
    assert machine.ask("POST", RENDER, body, by="everywhere").status == 200
    pinned = named("x", {"name": "unseen", "registry": "hidden/secret"})
    assert code(machine.ask("POST", RENDER, pinned, by="reader")) == (404, "SERVER_NOT_FOUND")
    export = "/api/v1/servers/unseen/export"
    assert code(machine.ask("GET", export, by="reader")) == (404, "SERVER_NOT_FOUND")


# ---------------------------------------------------------------- what is wrong

_AT = "servers[0].configuration."
REFUSED: list[tuple[str, Any, int, str, str]] = [
    ("no name", {"metadata": {}, "servers": [wanted("osv")]}, 400, "INVALID_REQUEST", "metadata.registry_name"),
    ("capitals", named("Caps", wanted("osv")), 400, "INVALID_REQUEST", "metadata.registry_name"),
    ("53 characters", named("a" * 53, wanted("osv")), 400, "INVALID_REQUEST", "metadata.registry_name"),
    ("another namespace", named("x", wanted("osv"), metadata={"namespace": "other"}), 400, "INVALID_REQUEST", "metadata.namespace"),
    ("no servers", named("x"), 400, "INVALID_REQUEST", "servers"),
    ("201 servers", named("x", *(wanted(f"s{n}") for n in range(201))), 400, "INVALID_REQUEST", "servers"),
    ("one twice", named("x", wanted("osv"), wanted("osv")), 400, "INVALID_REQUEST", "servers"),
    ("one by two names", named("x", wanted("osv"), wanted("io.github.stacklok/osv")), 400, "INVALID_REQUEST", "servers"),
    ("unknown", named("x", wanted("nope")), 404, "SERVER_NOT_FOUND", "servers[0].name"),
    ("unknown version", named("x", {"name": "osv", "version": "9.9.9"}), 404, "VERSION_NOT_FOUND", "servers[0].version"),
    ("two that differ", named("x", wanted("twin")), 400, "AMBIGUOUS_SERVER", "servers[0].name"),
    ("another digest", named("x", {"name": "osv", "digest": DIGEST}), 409, "STATE_CONFLICT", "servers[0].digest"),
    ("a short digest", named("x", wanted("osv", custom_image_digest="sha256:abcd")), 400, "INVALID_REQUEST", _AT + "custom_image_digest"),
    ("an unknown tool", named("x", wanted("osv", tools_filter=["nope"])), 400, "INVALID_REQUEST", _AT + "tools_filter[0]"),
    ("no tools", named("x", wanted("osv", tools_filter=[])), 400, "INVALID_REQUEST", _AT + "tools_filter"),
    (
        "two of one name",
        named("x", wanted("osv", tool_overrides={"scan": {"name": "a"}, "list": {"name": "a"}})),
        400, "INVALID_REQUEST", _AT + "tool_overrides.list.name",
    ),
    ("a secret", named("x", wanted("osv", env_overrides={"TOKEN": "hunter2"})), 400, "INVALID_REQUEST", _AT + "env_overrides.TOKEN"),
    ("no variable", named("x", wanted("osv", env_overrides={"A B": "hunter2"})), 400, "INVALID_REQUEST", _AT + "env_overrides.A B"),
    ("no amount", named("x", wanted("osv", resources={"cpu": "lots"})), 400, "INVALID_REQUEST", _AT + "resources.cpu"),
    ("above the limit", named("x", wanted("osv", resources={"cpu": "2", "cpu_limit": "1"})), 400, "INVALID_REQUEST", _AT + "resources.cpu"),
    ("a misspelt flag", named("x", wanted("osv"), configuration={"enforce_server": True}), 400, "INVALID_REQUEST", "configuration.enforce_server"),
    ("a key twice", b'{"servers": [], "servers": []}', 400, "INVALID_REQUEST", "body"),
    ("too deep", b'{"a":' * 33 + b"1" + b"}" * 33, 400, "INVALID_REQUEST", "body"),
    ("no number", b'{"a": NaN}', 400, "INVALID_REQUEST", "body"),
    ("too large", b'{"a": "' + b"x" * (1 << 20) + b'"}', 413, "PAYLOAD_TOO_LARGE", ""),
]  # fmt: skip


@pytest.mark.requirement("CAT-08")
@pytest.mark.parametrize(
    ("body", "status", "word", "at"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_is_wrong_is_said(
    machine: Machine, body: Any, status: int, word: str, at: str
) -> None:
    for path in (RENDER, MADE):
        reply = machine.ask("POST", path, body, by="admin")
        assert code(reply) == (status, word), reply.body
        assert (field(reply) or "") == at
        assert b"hunter2" not in reply.body


@pytest.mark.requirement("CAT-08")
def test_a_namespace_that_cannot_be_one(machine: Machine) -> None:
    for path in ("/api/v1/registries/Bad_NS/render", "/api/v1/registries/Bad_NS"):
        reply = machine.ask("POST", path, named("x", wanted("osv")), by="admin")
        assert (code(reply), field(reply)) == ((400, "INVALID_REQUEST"), "namespace")


@pytest.mark.requirement("CAT-08")
def test_other_media_are_refused_before_they_are_read(machine: Machine) -> None:
    for headers in ({"content_type": "text/plain"}, {"content_encoding": "gzip"}):
        reply = machine.ask("POST", MADE, b"not json", by="admin", **headers)
        assert code(reply) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.requirement("CAT-08")
def test_a_name_that_is_taken(machine: Machine) -> None:
    body = named("taken", wanted("weather"))
    assert machine.ask("POST", MADE, body, by="admin").status == 201
    for path in (MADE, f"{MADE}?dry_run=true"):
        reply = machine.ask("POST", path, body, by="admin")
        assert (code(reply), field(reply)) == ((409, "REGISTRY_EXISTS"), "metadata.registry_name")


@pytest.mark.requirement("CAT-08")
def test_a_config_map_of_somebody_else(machine: Machine) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "foreign-data", "namespace": "production"},
        "data": {"a": "b"},
    }
    (machine.home / "cm.json").write_text(json.dumps(foreign))
    assert run(machine.home, "--data", "data", "apply", "-f", "cm.json").returncode == 0
    reply = machine.ask("POST", MADE, named("foreign", wanted("weather")), by="admin")
    assert code(reply) == (409, "RESOURCE_EXISTS")
    assert "foreign" not in {
        obj["metadata"]["name"] for obj in machine.objects("production", "mcpreg")
    }


def test_a_dry_run_leaves_nothing(machine: Machine) -> None:
    reply = machine.ask("POST", f"{MADE}?dry_run=true", named("dry", CHOSEN), by="maker")
    assert (reply.status, reply.json["dry_run"]) == (200, True)
    assert "dry" not in {obj["metadata"]["name"] for obj in machine.objects("production", "mcpreg")}


def test_a_request_that_is_sent_twice_is_answered_once(machine: Machine) -> None:
    body, key = named("twice", wanted("weather")), {"idempotency_key": "k-1"}
    first = machine.ask("POST", MADE, body, by="maker", **key)
    again = machine.ask("POST", MADE, body, by="maker", **key)
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert again.headers["idempotency-replayed"] == "true"
    other = machine.ask("POST", MADE, named("other", wanted("weather")), by="maker", **key)
    assert code(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    theirs = machine.ask("POST", MADE, body, by="admin", **key)
    assert code(theirs) == (409, "REGISTRY_EXISTS")


def test_a_service_that_only_reads_says_so(machine: Machine) -> None:
    argv = ("serve", "--data", "data", "--port", "0", "--read-only")
    with Process(machine.home, *argv) as server:
        beside = Machine(server, machine.home)
        server.until_served("/r/tools/main/api/v1/servers", authorization="Bearer everywhere")
        for path in (RENDER, MADE):
            reply = beside.ask("POST", path, named("x", wanted("osv")), by="admin")
            assert code(reply) == (403, "READ_ONLY")


def test_where_nobody_is_known_manifests_are_rendered_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(document(osv=osv())))
    added = ("registry", "add", "mine", "--file", "mine.json", "--data", "data")
    assert run(tmp_path, *added).returncode == 0
    with Process(tmp_path, "serve", "--data", "data", "--port", "0") as server:
        alone = Machine(server, tmp_path)
        server.until_served("/r/default/mine/api/v1/servers")
        body = named("x", wanted("osv"))
        assert alone.ask("POST", RENDER, body).status == 200
        refused = alone.ask("POST", MADE, body)
        assert code(refused) == (401, "UNAUTHENTICATED")
        assert "thv dashboard" in refused.json["error"]["details"]["hint"]
