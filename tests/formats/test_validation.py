from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from tests.formats.mutations import mutations
from tests.formats.real import entries, real_data
from tests.formats.strategies import containers, endpoints, few, keys, servers, values
from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, PUBLISHER_META
from thv.formats.mapping import REMOTE_SERVERS, SERVERS
from thv.formats.schemas import schema_findings, toolhive_findings
from thv.formats.validation import (
    PUBLISHER_LIMIT,
    Finding,
    Severity,
    validate_official,
    validate_toolhive,
)

pytestmark = pytest.mark.requirement("FMT-02")

STDIO = {"type": "stdio"}
SERVER: JsonObject = {
    "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
    "name": "io.example/files",
    "description": "Keeps files",
    "title": "Files",
    "version": "1.2.0",
    "websiteUrl": "https://example.com/files",
    "repository": {"url": "https://github.com/example/files", "source": "github", "subfolder": "src/files"},
    "icons": [{"src": "https://example.com/a.png", "mimeType": "image/png", "sizes": ["48x48", "any"], "theme": "dark"}],
    "packages": [
        {
            "registryType": "oci",
            "identifier": "ghcr.io/example/files:1.2.0",
            "runtimeHint": "docker",
            "transport": {"type": "streamable-http", "url": "http://localhost:{PORT}/{path}"},
            "runtimeArguments": [{"type": "named", "name": "-v", "value": "{src}:/srv", "variables": {"src": {"format": "filepath"}}}],
            "packageArguments": [{"type": "positional", "valueHint": "path", "isRequired": True, "isRepeated": False}],
            "environmentVariables": [{"name": "PORT", "default": "80", "format": "number", "choices": ["80"], "placeholder": "80"}],
        },
        {"registryType": "mcpb", "identifier": "https://example.com/a.mcpb", "fileSha256": "0" * 64, "transport": STDIO},
    ],
    "remotes": [
        {
            "type": "sse",
            "url": "https://{region}.example.com/sse",
            "variables": {"region": {"default": "eu"}},
            "headers": [{"name": "Authorization", "isSecret": True, "value": "Bearer {t}", "variables": {"t": {}}}],
        }
    ],
    "_meta": {PUBLISHER_META: {"tool": "publisher-cli"}, "io.stacklok.toolhive/entry": {}},
}  # fmt: skip
PACKAGE: JsonObject = {"registryType": "npm", "identifier": "x", "transport": STDIO}


def package(**fields: Any) -> JsonObject:
    return {"packages": [{**PACKAGE, **fields}]}


def remote(**fields: Any) -> JsonObject:
    return {"remotes": [{"type": "sse", "url": "https://example.com", **fields}]}


def argument(**fields: Any) -> JsonObject:
    return package(packageArguments=[fields])


class _Gone:
    def __repr__(self) -> str:
        return "GONE"


GONE = _Gone()

# Fields that are wrong, and what is found: severity, rule, path.
OFFICIAL: list[tuple[JsonObject, list[tuple[str, str, str]]]] = [
    ({"name": GONE, "description": GONE, "version": GONE}, [("error", "required", "name"), ("error", "required", "description"), ("error", "required", "version")]),
    ({"name": 7}, [("error", "type", "name")]),
    ({"name": "io.example/a/b"}, [("error", "pattern", "name")]),
    ({"name": "a"}, [("error", "length", "name")]),
    ({"name": "a/b"}, [("error", "name-parts", "name")]),
    ({"name": "io.example/-files"}, [("error", "name-parts", "name")]),
    ({"name": "io.example/files."}, [("error", "name-parts", "name")]),
    ({"description": ""}, [("error", "length", "description")]),
    ({"description": "x" * 101}, [("error", "length", "description")]),
    ({"title": "x" * 101}, [("error", "length", "title")]),
    ({"version": 7}, [("error", "type", "version")]),
    ({"version": "1" * 256}, [("error", "length", "version")]),
    ({"version": "latest"}, [("error", "version-latest", "version")]),
    ({"$schema": GONE}, [("warning", "schema", "$schema")]),
    ({"$schema": "draft"}, [("error", "pattern", "$schema")]),
    ({"websiteUrl": "http://example.com"}, [("warning", "https", "websiteUrl")]),
    ({"websiteUrl": "https://example.com/a b"}, [("error", "pattern", "websiteUrl")]),
    ({"websiteUrl": 'https://example.com/"<a>'}, [("error", "pattern", "websiteUrl")]),
    ({"repository": {}}, [("error", "required", "repository.url"), ("error", "required", "repository.source")]),
    ({"repository": {"url": "", "source": ""}}, [("error", "pattern", "repository.url"), ("warning", "repository-source", "repository.source")]),
    ({"repository": {"url": "https://git.example.com/a", "source": "git"}}, [("warning", "repository-source", "repository.source")]),
    ({"repository": {"url": "https://github.com/a", "source": "github"}}, [("warning", "repository-url", "repository.url")]),
    ({"repository": {"url": "https://gitlab.com/a/b/c", "source": "gitlab"}}, []),
    ({"repository": {"url": "https://github.com/a/b", "source": "github", "subfolder": "../x"}}, [("error", "pattern", "repository.subfolder")]),
    ({"repository": {"url": "https://github.com/a/b", "source": "github", "subfolder": "/x"}}, [("error", "pattern", "repository.subfolder")]),
    ({"icons": [{}]}, [("error", "required", "icons[0].src")]),
    ({"icons": [{"src": "http://example.com/a"}]}, [("warning", "https", "icons[0].src")]),
    ({"icons": [{"src": "https://example.com/" + "a" * 255}]}, [("error", "length", "icons[0].src")]),
    ({"icons": [{"src": "https://e.x/a", "mimeType": "image/gif", "sizes": ["48"], "theme": 7}]}, [("error", "enum", "icons[0].mimeType"), ("error", "pattern", "icons[0].sizes[0]"), ("error", "type", "icons[0].theme")]),
    ({"packages": {}}, [("error", "type", "packages")]),
    ({"packages": [7]}, [("error", "type", "packages[0]")]),
    ({"packages": [{}]}, [("error", "required", f"packages[0].{key}") for key in ("registryType", "identifier", "transport")]),
    (package(identifier="a b"), [("error", "identifier", "packages[0].identifier")]),
    (package(identifier=""), [("error", "identifier", "packages[0].identifier")]),
    (package(version=""), [("error", "length", "packages[0].version")]),
    (package(version="latest"), [("error", "version-latest", "packages[0].version")]),
    (package(fileSha256="A" * 64), [("error", "pattern", "packages[0].fileSha256")]),
    (package(registryBaseUrl="npm"), [("error", "pattern", "packages[0].registryBaseUrl")]),
    (package(registryType="cargo", identifier="files"), []),
    (package(registryType="mcpb"), [("error", "bundle-hash", "packages[0].fileSha256")]),
    (package(registryType="oci", registryBaseUrl="https://ghcr.io", version="1"), [("warning", "reference", "packages[0].registryBaseUrl"), ("warning", "reference", "packages[0].version")]),
    (package(transport={}), [("error", "required", "packages[0].transport.type")]),
    (package(transport="stdio"), [("error", "type", "packages[0].transport")]),
    (package(transport={"type": "smoke"}), [("error", "enum", "packages[0].transport.type")]),
    (package(transport={"type": "stdio", "url": ""}), []),
    (package(transport={"type": "stdio", "url": "http://x"}), [("warning", "stdio-url", "packages[0].transport.url")]),
    (package(transport={"type": "sse"}), [("error", "required", "packages[0].transport.url")]),
    (package(transport={"type": "sse", "url": "ftp://x"}), [("error", "pattern", "packages[0].transport.url")]),
    (package(transport={"type": "sse", "url": "http://x/{a}/{b}/{a}"}), [("error", "variable", "packages[0].transport.url")]),
    (package(environmentVariables=[{}]), [("error", "required", "packages[0].environmentVariables[0].name")]),
    (package(environmentVariables=[{"name": "A", "isRequired": "yes", "format": "date", "choices": [7], "variables": {"x": 7}}]), [("error", "type", "packages[0].environmentVariables[0].isRequired"), ("error", "enum", "packages[0].environmentVariables[0].format"), ("error", "type", "packages[0].environmentVariables[0].choices[0]"), ("error", "type", "packages[0].environmentVariables[0].variables.x")]),
    (argument(), [("error", "required", "packages[0].packageArguments[0].type")]),
    (argument(type="flag"), [("error", "enum", "packages[0].packageArguments[0].type")]),
    (argument(type="positional"), [("error", "required", "packages[0].packageArguments[0]")]),
    (argument(type="positional", value=""), []),
    (argument(type="named"), [("error", "required", "packages[0].packageArguments[0].name")]),
    (argument(type="named", name=""), []),
    (argument(type="named", name="--port <n>"), [("error", "argument-name", "packages[0].packageArguments[0].name")]),
    (argument(type="named", name="--port", value="--port=80", default="80"), [("error", "argument-value", "packages[0].packageArguments[0].value")]),
    ({"remotes": [{"type": "stdio", "url": "https://x.y"}]}, [("error", "enum", "remotes[0].type")]),
    (remote(url=GONE), [("error", "required", "remotes[0].url")]),
    (remote(url="http://example.com"), [("warning", "https", "remotes[0].url")]),
    (remote(url="http://localhost:80/x"), [("warning", "local-url", "remotes[0].url")]),
    (remote(url="https://a.localhost/x"), [("warning", "local-url", "remotes[0].url")]),
    (remote(url="https://example.com/{a}"), [("error", "variable", "remotes[0].url")]),
    (remote(url="https://example.com/{a}", variables={"a": {}}), []),
    (remote(variables=7), [("error", "type", "remotes[0].variables")]),
    ({"_meta": []}, [("error", "type", "_meta")]),
    ({"_meta": {PUBLISHER_META: 7}}, [("error", "type", f"_meta.{PUBLISHER_META}")]),
    ({"_meta": {PUBLISHER_META: {"x": "x" * PUBLISHER_LIMIT}}}, [("warning", "publisher-size", f"_meta.{PUBLISHER_META}")]),
    ({"_meta": {OFFICIAL_META: {}, "com.example/x": 1}}, [("warning", "meta", "_meta.com.example/x")]),
    ({"unknown": object}, []),
]  # fmt: skip

RANGES = [
    "^1.2.0",
    "~1.2",
    ">=1.0.0",
    "<2",
    "=1.0.0",
    " >= 1.0",
    "1.0.0 - 2.0.0",
    "1.x",
    "1.2.*",
    "1.X.x",
    "*",
    "1.0.0 || 2.0.0",
]
NO_RANGES = [
    "1.2.0",
    "v1",
    "1",
    "2025.06.18",
    "1.0.0-x",
    "1.0.0-rc.1",
    "x",
    "beta - 2",
    "{{VERSION}}",
    "0.7.10.dev1",
    "1.0.1º",
]


def changed(value: JsonObject, fields: JsonObject) -> JsonObject:
    def clean(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: clean(inner) for key, inner in item.items() if inner is not GONE}
        return [clean(inner) for inner in item] if isinstance(item, list) else item

    cleaned: JsonObject = clean({**value, **fields})
    return cleaned


def shown(found: list[Finding]) -> list[tuple[str, str, str]]:
    assert all(finding.message for finding in found)
    return [(finding.severity.value, finding.rule, finding.path) for finding in found]


def test_a_proper_server_has_no_findings() -> None:
    assert validate_official(SERVER) == []


@pytest.mark.parametrize(("fields", "expected"), OFFICIAL, ids=lambda part: str(part)[:60])
def test_what_is_wrong_with_a_server_is_found(fields: JsonObject, expected: list[Any]) -> None:
    assert shown(validate_official(changed(SERVER, fields))) == expected


@pytest.mark.parametrize("version", RANGES)
def test_a_range_is_no_version(version: str) -> None:
    found = validate_official(changed(SERVER, {"version": version}))
    assert shown(found) == [("error", "version-range", "version")]


@pytest.mark.parametrize("version", NO_RANGES)
def test_an_odd_version_is_no_range(version: str) -> None:
    assert validate_official(changed(SERVER, {"version": version})) == []


@pytest.mark.parametrize("value", [None, 7, "x", [], True])
def test_what_is_no_object_is_found(value: Any) -> None:
    assert shown(validate_official(value)) == [("error", "type", "")]


# ToolHive --------------------------------------------------------------------------------------------------

CONTAINER: JsonObject = {
    "name": "files",
    "title": "Files",
    "description": "Keeps files and finds them",
    "overview": "Long",
    "image": "ghcr.io/example/files:1.2.0",
    "transport": "streamable-http",
    "target_port": 8080,
    "proxy_port": 9090,
    "tier": "Official",
    "status": "Active",
    "tools": ["find", "keep"],
    "tags": ["files"],
    "args": ["serve"],
    "docker_tags": ["latest"],
    "tool_definitions": [{"name": "find"}],
    "repository_url": "https://github.com/example/files",
    "env_vars": [{"name": "TOKEN", "description": "A token", "required": True, "secret": True, "default": ""}],
    "permissions": {"network": {"outbound": {"allow_host": ["example.com", ".example.com"], "allow_port": [443], "insecure_allow_all": False}}, "read": ["/srv"], "write": ["/a/b/"], "privileged": False},
    "provenance": {"sigstore_url": "tuf.example.com", "repository_uri": "https://github.com/a/b", "attestation": {"predicate_type": "https://slsa.dev", "predicate": 1}},
    "metadata": {"stars": 1, "pulls": 2.0, "last_updated": "2025-11-01T00:00:00Z"},
    "custom_metadata": {"anything": None},
    "unknown": 1,
}  # fmt: skip
REMOTE: JsonObject = {
    "description": "Searches for everything",
    "url": "https://example.com/mcp",
    "transport": "sse",
    "tier": "Community",
    "status": "Deprecated",
    "tools": ["search"],
    "headers": [{"name": "X-Key", "description": "The key", "required": True, "choices": ["a", "b"]}],
    "oauth_config": {"issuer": "https://login.example.com", "scopes": ["a"], "use_pkce": True, "callback_port": 80, "oauth_params": {"a": "b"}},
}  # fmt: skip

TOOLHIVE: list[tuple[JsonObject, list[tuple[str, str, str]]]] = [
    ({"image": GONE}, [("error", "required", "image")]),
    ({"image": 7}, [("error", "type", "image")]),
    ({"image": "a b"}, [("error", "image", "image")]),
    ({"image": ""}, [("error", "image", "image")]),
    ({"image": "npx://@a/b@1.0.0"}, [("warning", "image", "image")]),
    ({"image": "a/b@sha256:" + "0" * 64}, [("warning", "image", "image")]),
    ({"description": GONE, "tools": GONE}, [("warning", "required", "description"), ("warning", "required", "tools")]),
    ({"description": "short"}, [("warning", "length", "description")]),
    ({"description": 7}, [("error", "type", "description")]),
    ({"transport": "http"}, [("error", "enum", "transport")]),
    ({"tier": "Verified", "status": "active"}, [("warning", "enum", "tier"), ("warning", "enum", "status")]),
    ({"tools": []}, [("warning", "length", "tools")]),
    ({"tools": ["a b", "x", "x"]}, [("warning", "unique", "tools"), ("warning", "pattern", "tools[0]")]),
    ({"tools": "x"}, [("error", "type", "tools")]),
    ({"tags": ["A"]}, [("warning", "pattern", "tags[0]")]),
    ({"target_port": 0}, [("error", "range", "target_port")]),
    ({"proxy_port": 65536}, [("error", "range", "proxy_port")]),
    ({"target_port": "80"}, [("error", "type", "target_port")]),
    ({"target_port": True}, [("error", "type", "target_port")]),
    ({"repository_url": ""}, [("warning", "pattern", "repository_url")]),
    ({"env_vars": [{"name": "A-B", "description": "x"}]}, [("warning", "required", "env_vars[0].required"), ("warning", "pattern", "env_vars[0].name"), ("warning", "length", "env_vars[0].description")]),
    ({"env_vars": [{}]}, [("error", "required", "env_vars[0].name"), ("warning", "required", "env_vars[0].description"), ("warning", "required", "env_vars[0].required")]),
    ({"permissions": {"read": ["srv", "srv"], "network": {"outbound": {"allow_port": [0], "allow_host": ["a b"]}}}}, [("warning", "unique", "permissions.read"), ("warning", "pattern", "permissions.read[0]"), ("warning", "pattern", "permissions.read[1]"), ("error", "range", "permissions.network.outbound.allow_port[0]"), ("warning", "pattern", "permissions.network.outbound.allow_host[0]")]),
    ({"metadata": {"stars": -1, "last_updated": "yesterday"}}, [("error", "range", "metadata.stars"), ("warning", "pattern", "metadata.last_updated")]),
    ({"custom_metadata": []}, [("error", "type", "custom_metadata")]),
]  # fmt: skip
TOOLHIVE_REMOTE: list[tuple[JsonObject, list[tuple[str, str, str]]]] = [
    ({"url": GONE}, [("error", "required", "url")]),
    ({"url": "example.com"}, [("error", "pattern", "url")]),
    ({"transport": "stdio"}, [("error", "enum", "transport")]),
    ({"headers": [{"name": "_", "description": "A key", "required": True, "choices": ["a", "a"]}]}, [("warning", "pattern", "headers[0].name"), ("warning", "unique", "headers[0].choices")]),
    ({"oauth_config": {"issuer": "x", "callback_port": 0, "oauth_params": {"a": 1}}}, [("warning", "pattern", "oauth_config.issuer"), ("error", "range", "oauth_config.callback_port"), ("error", "type", "oauth_config.oauth_params.a")]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "section"), [(CONTAINER, SERVERS), (REMOTE, REMOTE_SERVERS)])
def test_a_proper_toolhive_entry_has_no_findings(value: JsonObject, section: str) -> None:
    assert validate_toolhive("files", value, section) == []


@pytest.mark.parametrize(("fields", "expected"), TOOLHIVE, ids=lambda part: str(part)[:60])
def test_what_is_wrong_with_a_container_entry_is_found(
    fields: JsonObject, expected: list[Any]
) -> None:
    assert shown(validate_toolhive("files", changed(CONTAINER, fields), SERVERS)) == expected


@pytest.mark.parametrize(("fields", "expected"), TOOLHIVE_REMOTE, ids=lambda part: str(part)[:60])
def test_what_is_wrong_with_a_remote_entry_is_found(
    fields: JsonObject, expected: list[Any]
) -> None:
    assert shown(validate_toolhive("files", changed(REMOTE, fields), REMOTE_SERVERS)) == expected


@pytest.mark.parametrize("key", ["io.example/files", "Files", "ab", "", "-files"])
def test_a_key_that_toolhive_does_not_take_is_found(key: str) -> None:
    assert shown(validate_toolhive(key, CONTAINER, SERVERS)) == [("warning", "key", "")]


# Laws ------------------------------------------------------------------------------------------------------


@few
@given(servers | values)
def test_a_server_that_breaks_the_schema_has_an_error(server: Any) -> None:
    server = msgspec.json.decode(msgspec.json.encode(server))
    errors = [f for f in validate_official(server) if f.severity is Severity.ERROR]
    assert errors or not schema_findings(server)


@few
@given(keys, containers | endpoints)
def test_no_toolhive_entry_is_too_odd(key: str, value: Any) -> None:
    for section in (SERVERS, REMOTE_SERVERS):
        for odd in (value, [value], None):
            validate_toolhive(key, msgspec.json.decode(msgspec.json.encode(odd)), section)


def test_what_a_mutation_breaks_of_a_server_is_found() -> None:
    for server in mutations([SERVER], 1_000):
        errors = [f for f in validate_official(server) if f.severity is Severity.ERROR]
        assert errors or not schema_findings(server), server


@pytest.mark.parametrize(("value", "section"), [(CONTAINER, SERVERS), (REMOTE, REMOTE_SERVERS)])
def test_what_a_mutation_breaks_of_a_toolhive_entry_is_found(
    value: JsonObject, section: str
) -> None:
    for entry in mutations([value], 1_000):
        document = {"version": "1.0.0", "last_updated": "2025-11-01T00:00:00Z", "servers": {}}
        broken = toolhive_findings({**document, section: {"files": entry}})
        found = validate_toolhive("files", entry, section)
        assert found or not broken, entry
        assert broken or not any(f.severity is Severity.ERROR for f in found), entry


@pytest.mark.flows
def test_the_real_dump_has_errors_where_it_breaks_the_schema() -> None:
    dump = real_data("upstream-official-dumps/2025-12-18.wrapped.json").read_bytes()
    found = [validate_official(entry.server) for entry in entries(dump)]
    assert sum(any(f.severity is Severity.ERROR for f in each) for each in found) == 280


@pytest.mark.flows
def test_real_toolhive_entries_have_no_errors() -> None:
    for path in real_data("toolhive-registry-history").glob("202[56]-*.json"):
        if path.name < "2025-07":
            continue
        document = msgspec.json.decode(path.read_bytes())
        for section in (SERVERS, REMOTE_SERVERS):
            for key, value in document.get(section, {}).items():
                found = validate_toolhive(key, value, section)
                assert not [f for f in found if f.severity is Severity.ERROR]
