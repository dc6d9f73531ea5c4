"""The page of a server: what it is, what it may do, who vouches for it, and what of that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser
from tests.apps.dashboard.conftest import open_pages
from tests.stores.models.world import an_entry
from thv.apps.catalog_api.endpoints import api
from thv.apps.dashboard.permissions import statements
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, json_answer
from thv.apps.kit.http.parameters import text
from thv.apps.registry_api.words import row

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("GOV-14")]

LISTED = tuple(row(name, text(200), "") for name in ("registry", "labelSelector", "limit"))
OSV = "/servers/production/curated/osv-scanner"


def container(*variables: Any, version: str = "1.0.0", **block: Any) -> Any:
    """A container about which `block` is said, with these variables."""
    package = {
        "registryType": "oci",
        "identifier": f"ghcr.io/example/files:{version}",
        "transport": {"type": "stdio"},
        "environmentVariables": list(variables),
    }
    return an_entry("io.github.stacklok/files", version, packages=[package], block=block)


async def shown(site: CatalogSite, browser: Browser, **block: Any) -> str:
    await site.put("main", container(**block))
    page = await browser.open("/servers/default/main/files")
    assert page.status == 200
    return page.text


async def test_everything_about_a_server(site: CatalogSite, browser: Browser) -> None:
    await site.put("curated", osv(), namespace="production", trustLevel="trusted")
    await site.put("team", osv("0.1.2"), namespace="staging", trustLevel="tested")
    page = await browser.open(OSV)
    assert page.title == "OSV Vulnerability Scanner · MCP catalog"
    sections = {"overview", "tools", "permissions", "provenance", "versions", "origins", "raw"}
    assert page.ids >= sections
    assert {f"#{each}" for each in sections} <= {place for _, place in page.links}
    for words in (
        "ghcr.io/stackloklabs/osv-mcp/server",
        "LOG_LEVEL Logging level no info",
        "vulnerability-scan",
        "Asks for 1 host, and no other",
        "api.osv.dev",
        "Unsigned.",
        "staging/team Tested 0.1.2 differs from here Compare",
        "production/curated shown here Used unless one is named Trusted 0.1.3 this page",
    ):
        assert words in page.text, words
    assert page.place("This page as JSON") == (
        "/api/v1/servers/osv-scanner?registry=production%2Fcurated&version=latest"
    )
    assert "Deployments" not in page.text.partition("Overview Tools 3")[2]
    assert ("server", "production/curated/osv-scanner") in [
        (name, value) for _, name, value in page.form("/generate/add").buttons
    ]


async def test_each_version_has_its_page(site: CatalogSite, browser: Browser) -> None:
    old = osv("0.1.2", tools=["osv-query"])
    await site.put("curated", old, osv(), namespace="production", trustLevel="trusted")
    page = await browser.open(OSV)
    older = await browser.send(page.form(OSV), version="0.1.2")
    assert "This is not the latest version." in older.text
    assert "shown here Used unless one is named Trusted 0.1.2" in older.text
    assert "Content" not in older.text, "there is nothing to compare with"
    assert "vulnerability-scan" not in older.text.partition("Permissions")[0]
    missing = await browser.open(f"{OSV}?version=9.9.9")
    assert missing.status == 404
    assert "There is no version 9.9.9" in missing.text


@pytest.mark.parametrize(
    ("permissions", "words"),
    [
        ({}, "Nothing is declared"),
        ({"network": {"outbound": {"insecure_allow_all": True}}}, "May reach any host"),
        ({"network": {"outbound": {"allow_host": ["*"]}}}, "May reach any host"),
        ({"network": {"mode": "host"}}, "May reach any host"),
        ({"network": {"outbound": {"allow_port": [443]}}}, "May reach any host on port 443 (HTTPS)"),
        ({"network": {"outbound": {"allow_host": ["a.example", "b.example"]}}}, "Asks for 2 hosts, and"),
        ({"read": ["/data"]}, "Reads files"),
        ({"write": ["/data"]}, "Writes files"),
        ({"network": {"outbound": {"allow_host": ["x"]}}}, "No path is declared"),
        ({"network": {"outbound": {"allow_host": ["x"]}}, "read": []}, "No files"),
        ({"read": ["/data"]}, "No network"),
        ({"privileged": True}, "Asks to be privileged"),
        ({"devices": ["/dev/kvm"]}, "Asks for more that has no words here"),
        ({"read": "all", "network": [1], "write": [3, "/x"]}, "Writes files"),
    ],
)  # fmt: skip
def test_permissions_are_said_plainly(permissions: Any, words: str) -> None:
    said = statements({"permissions": permissions})
    assert any(words in each.title for each in said), said


async def test_what_tools_do_is_said_where_it_is_declared(
    site: CatalogSite, browser: Browser
) -> None:
    definitions = [
        {"name": "look", "annotations": {"readOnlyHint": True, "destructiveHint": True}},
        {"name": "wipe", "annotations": {"destructiveHint": True, "idempotentHint": "yes"}},
        {"name": "odd", "description": "Unsure", "annotations": ["readOnlyHint"]},
        {"name": "bare"},
    ]
    text = await shown(site, browser, tool_definitions=definitions)
    assert "look No description. Reads only" in text
    assert "wipe No description. May destroy" in text
    assert "of 2 of 4 nothing is declared" in text
    assert "Of these only the names are known: bare" in text


async def test_deprecated_and_hidden_and_strange(site: CatalogSite, browser: Browser) -> None:
    entry = an_entry(
        "com.example/odd",
        status="deprecated",
        title="Odd\u202egnp",
        description="safe\U000e0041<script>alert(1)</script>",
        repository={"url": "javascript:alert(1)", "source": "github"},
    )
    await site.put("main", entry)
    page = await browser.open("/servers/default/main/com.example%2Fodd")
    assert "This version is deprecated." in page.text
    assert "characters that are not seen" in page.text
    assert "/description: U+E0041" in page.text
    assert "⟨U+202E⟩" in page.text
    assert "<script>alert" not in page.html
    assert not [place for _, place in page.links if place.startswith("javascript")]


STRANGE: tuple[Any, ...] = (
    3,
    "x",
    [],
    [3, None, "x"],
    [{"name": 3}],
    {"name": [], "type": {}},
    True,
)
SAID_BY_STRANGERS = (
    "tools", "tool_definitions", "permissions", "provenance", "tags", "metadata", "custom_metadata", "args", "env_vars",
    "headers", "oauth_config", "tier", "status", "transport", "target_port", "title", "overview",
)  # fmt: skip


async def test_no_entry_breaks_a_page(site: CatalogSite, browser: Browser) -> None:
    """Whatever stands where something else should."""
    permissions = [
        {"network": value, "read": value, "write": value, "privileged": value} for value in STRANGE
    ]
    outbound = [
        {"network": {"outbound": {"allow_host": value, "allow_port": value}}} for value in STRANGE
    ]
    schemas = [
        {"properties": {"a": value, "b": {"type": value, "items": value, "enum": value}}}
        for value in STRANGE
    ]
    tools = [
        {"name": f"t{n}", "description": value, "annotations": value, "inputSchema": schema}
        for n, (value, schema) in enumerate(zip(STRANGE, [*schemas[1:], 3], strict=True))
    ]
    blocks = [
        *(dict.fromkeys(SAID_BY_STRANGERS, value) for value in STRANGE),
        *({"permissions": value} for value in (*permissions, *outbound)),
        {"tool_definitions": tools},
    ]
    await site.put(
        "main",
        *(container(version=f"1.{n}.0", **block) for n, block in enumerate(blocks)),
    )
    place = "/servers/default/main/io.github.stacklok%2Ffiles"
    for number in range(len(blocks)):
        for part in ("?", "/install?"):
            page = await browser.open(f"{place}{part}version=1.{number}.0")
            assert page.status == 200, (page.address, page.text)
        page = await browser.open(
            f"{place}/compare?a=1.{number}.0&b=1.{(number + 1) % len(blocks)}.0"
        )
        assert page.status == 200, (page.address, page.text)
    assert (await browser.open("/tools")).status == 200


async def test_a_server_that_runs_elsewhere(site: CatalogSite, browser: Browser) -> None:
    remote = [{"type": "streamable-http", "url": "https://mcp.example.com/mcp"}]
    await site.put("main", an_entry("com.example/far", packages=[], remotes=remote))
    page = await browser.open("/servers/default/main/com.example/far")  # also with its slash
    assert "Runs somewhere else" in page.text
    assert page.place("https://mcp.example.com/mcp") == "https://mcp.example.com/mcp"


async def test_nobody_finds_what_is_not_there(site: CatalogSite, browser: Browser) -> None:
    await site.put("main", container())
    for place in ("/servers/default/main/nope", "/servers/other/main/files"):
        assert (await browser.open(place)).status == 404


async def test_the_largest_entry_fits_a_page(site: CatalogSite, browser: Browser) -> None:
    properties = {f"p{n}": {"type": "string", "description": f"{n} " * 40} for n in range(60)}
    schema = {"type": "object", "properties": properties}
    definitions = [{"name": f"t{n}", "inputSchema": schema} for n in range(150)]
    versions = [container(tool_definitions=definitions)]
    await site.put("main", *versions)
    page = await browser.open("/servers/default/main/files")
    assert "40 parameters and more" in page.text
    assert int(page.headers["content-length"]) < 60_000


async def test_where_it_runs_is_shown_where_somebody_knows(site: CatalogSite) -> None:
    """The list of deployments is another's; here it stands for itself."""
    await site.put("main", container())
    asked: list[Any] = []

    def listed(call: Call) -> Answer:
        asked.append(call.request.query)
        row = {"name": "mine", "namespace": "prod", "server_version": "1.0.0", "status": "Running"}
        return json_answer({"deployments": [{**row, "ready": True, "drift": "outdated"}]})

    known = api("C21", "/deployments", listed, "Deployments", LISTED, known=True)
    page = await Browser(open_pages(site, known)).open("/servers/default/main/files")
    assert "mine prod 1.0.0 Running The registry has a newer version" in page.text
    assert asked == [b"registry=default%2Fmain&labelSelector=server-name%3Dfiles&limit=50"]


# ---------------------------------------------------------------- comparing


async def two_versions(site: CatalogSite) -> None:
    """The newer one reaches further, offers more and needs more."""
    old = container(
        {"name": "OLD"},
        tools=["read", "list"],
        permissions={"network": {"outbound": {"allow_host": ["a.example"]}}, "read": ["/data"]},
    )
    new = container(
        {"name": "KEY", "isRequired": True, "isSecret": True},
        version="1.1.0",
        tools=["read", "wipe"],
        permissions={"network": {"outbound": {"insecure_allow_all": True}}, "write": ["/data"]},
    )
    await site.put("main", old, new)
    await site.put("other", old, namespace="elsewhere", trustLevel="trusted")


async def test_what_a_newer_version_means_comes_first(site: CatalogSite, browser: Browser) -> None:
    await two_versions(site)
    page = await browser.open("/servers/default/main/files/compare")
    head, _, fields = page.text.partition("Field by field")
    for words in (
        "Look closely: what it may do differs",
        "Network wider: may now reach any host (1 named before)",
        "May now write at /data",
        "Tools added wipe",
        "Tools removed: who uses them finds them no more list",
        "Variables that must be set now KEY",
        "Variables that are no longer taken OLD",
        "Another image ghcr.io/example/files:1.0.0 → ghcr.io/example/files:1.1.0",
    ):
        assert words in head, words
    assert head.index("Network wider") < head.index("Tools added") < head.index("Another image")
    assert "permissions / write added none" in fields
    assert "ghcr.io/example/files:1.0.0 ghcr.io/example/files:1.1.0" in fields


async def test_versions_are_picked_by_a_form(site: CatalogSite, browser: Browser) -> None:
    await two_versions(site)
    place = "/servers/default/main/files/compare"
    form = (await browser.open(place)).form(place)
    assert form.fields == [("a", "1.0.0"), ("base_registry", "default/main"), ("b", "1.1.0")]
    same = await browser.send(form, a="1.1.0")
    assert "Nothing differs" in same.text
    assert "one and the same version" in same.text
    back = await browser.send(form, a="1.1.0", b="1.0.0")
    assert "Network narrower: may no longer reach any host" in back.text
    gone = await browser.send(form, a="9.9.9")
    assert gone.status == 404


async def test_registries_are_compared(site: CatalogSite, browser: Browser) -> None:
    await two_versions(site)
    place = "/servers/default/main/files/compare"
    other = f"{place}?a=1.0.0&b=1.0.0&base_registry=elsewhere/other"
    assert "Nothing differs" in (await browser.open(other)).text
    missing = await browser.open(f"{place}?a=1.1.0&base_registry=elsewhere/other")
    assert "elsewhere/other has no version 1.1.0. Shown is its latest." in missing.text
    only = await browser.open("/servers/elsewhere/other/files/compare")
    assert ("base_registry", "default/main") in only.form(
        "/servers/elsewhere/other/files/compare"
    ).fields


# ---------------------------------------------------------------- installing


async def test_how_a_container_is_installed(site: CatalogSite, browser: Browser) -> None:
    await site.put("main", container({"name": "TOKEN", "isRequired": True, "isSecret": True}))
    place = "/servers/default/main/files/install"
    page = await browser.open(place)
    for words in (
        "thv secret create files --from-file TOKEN=FILE -n default",
        "thv install files@1.0.0 --registry default/main -n default --secret files",
        "thv run files@1.0.0 my-files --registry default/main -n default --secret files",
        "whoever runs the catalog has it",
        "kind: MCPServer",
        "kubectl apply -f -",
        '"mcpServers": { "files": { "command": "docker"',
        'code --add-mcp \'{"name":"files","inputs":[{',
        '"servers": { "files": { "type": "stdio", "command": "docker"',
        '"TOKEN": "${input:files-token}"',
        "Put your own values in place of",
    ):
        assert words in page.text, words
    assert {"#thv", "#kubernetes", "#vscode", "#client"} <= {to for _, to in page.links}
    chosen = await browser.send(
        page.form(place), namespace="production", api_version="toolhive.stacklok.dev/v1beta1"
    )
    assert "namespace: production" in chosen.text
    assert "apiVersion: toolhive.stacklok.dev/v1beta1" in chosen.text
    wrong = await browser.send(page.form(place), namespace="No Such")
    assert wrong.status == 400
    assert 'aria-invalid="true"' in wrong.html
    assert ("namespace", "No Such") in wrong.form(place).fields
    assert "thv install files@1.0.0" in wrong.text


async def test_what_runs_elsewhere_is_called(site: CatalogSite, browser: Browser) -> None:
    remote = [{"type": "sse", "url": "https://mcp.example.com/sse"}]
    await site.put("main", an_entry("com.example/far", packages=[], remotes=remote))
    page = await browser.open("/servers/default/main/com.example%2Ffar/install")
    assert "There is nothing to install on a cluster." in page.text
    assert '"url": "https://mcp.example.com/sse"' in page.text
    assert "Claude Desktop takes the URL alone" in page.text
    assert "thv install" not in page.text


async def test_what_is_called_once_it_runs_says_so(site: CatalogSite, browser: Browser) -> None:
    http = {"type": "streamable-http", "url": "http://localhost:8080/mcp"}
    package = {"registryType": "oci", "identifier": "ghcr.io/x/y:1.0.0", "transport": http}
    await site.put("main", an_entry("com.example/near", packages=[package]))
    page = await browser.open("/servers/default/main/com.example%2Fnear/install")
    assert page.place("In VS Code") == "#vscode"
    assert '"near": { "type": "http", "url": "http://127.0.0.1:PORT/mcp" }' in page.text
    assert "tells its URL; put the port in place of PORT" in page.text
