"""`/generate`: servers are put aside, adjusted, and become a registry or files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser, Page
from tests.apps.dashboard.conftest import guarded_pages, signed_in
from thv.apps.dashboard.pages import generate
from thv.apps.dashboard.selection import anchor
from thv.domain.pending import MANAGED_BY, MANAGER
from thv.domain.resources import MCP_REGISTRY, TOOL_CONFIG

pytestmark = pytest.mark.anyio

KEY = "tools/main/osv-scanner"
FIELD = f"{anchor(KEY)}."
WISHES = "__Host-thv_wishes"


@pytest.fixture(autouse=True)
def nothing_synchronizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So nobody waits for a new registry."""
    monkeypatch.setattr(generate, "WAIT", 0)


@pytest.fixture
async def filled(site: CatalogSite) -> CatalogSite:
    await site.put("main", osv(), namespace="tools", trustLevel="trusted")
    return site


async def selecting(browser: Browser, *keys: str) -> Browser:
    """The same, with servers put aside."""
    for key in keys or (KEY,):
        form = (await browser.open("/servers")).form("/generate/add")
        await browser.send(form, server=key, follow=False)
    return browser


async def the_form(browser: Browser) -> Page:
    page = await browser.open("/generate")
    assert page.status == 200
    return page


async def pressed(browser: Browser, button: str, action: str = "", **values: Any) -> Page:
    """The form as it stands with these changes, sent by a button; fields of the server begin with `_`."""
    form = (await the_form(browser)).form("/generate/render")
    form.action = action or form.action
    told = {(FIELD + name[1:] if name.startswith("_") else name): v for name, v in values.items()}
    return await browser.send(form, button, follow=False, **told)


# ---------------------------------------------------------------- the selection


async def test_nothing_selected_leads_to_the_servers(filled: CatalogSite, browser: Browser) -> None:
    page = await browser.open("/generate")
    assert "No server is selected yet" in page.text
    assert page.place("Choose servers") == "/servers"


async def test_a_selected_server_is_marked_where_one_was(
    filled: CatalogSite, browser: Browser
) -> None:
    page = await browser.open("/servers?search=scan")
    added = await browser.send(page.form("/generate/add"), "Select osv-scanner", follow=False)
    assert added.status == 303
    assert added.headers["location"] == f"/servers?search=scan#{anchor(KEY)}"
    page = await browser.open(added.headers["location"])
    assert page.place("Selected") == f"/generate#{anchor(KEY)}"
    assert "Generate 1 selected" in page.text


async def test_a_script_gets_the_part_that_changes(filled: CatalogSite, browser: Browser) -> None:
    fields = (await browser.open("/servers")).form("/generate/add").fields
    page = await browser.post("/generate/add", [*fields, ("server", KEY)], hx_request="true")
    assert page.status == 200
    assert "<main" not in page.html
    assert page.text.startswith(f"Selected: {KEY}")


@pytest.mark.parametrize(
    "place", ["https://evil.example/", "//evil.example", "/\\evil.example", ""]
)
async def test_adding_sends_nobody_elsewhere(
    filled: CatalogSite, browser: Browser, place: str
) -> None:
    form = (await browser.open("/servers")).form("/generate/add")
    added = await browser.send(form, server=KEY, next=place, follow=False)
    assert added.headers["location"] == f"/#{anchor(KEY)}"


async def test_a_full_selection_says_so_and_stays(filled: CatalogSite, browser: Browser) -> None:
    keys = [f"tools/main/{'x' * 90}{number:02}" for number in range(30)]
    await selecting(browser, *keys)
    before = browser.cookies["thv_selection"]
    form = (await browser.open("/servers")).form("/generate/add")
    page = await browser.send(form, server=[f"tools/main/{'y' * 150}{n}" for n in range(20)])
    assert page.status == 400
    assert "Your selection is full" in page.text
    assert browser.cookies["thv_selection"] == before


async def test_a_server_is_put_back(filled: CatalogSite, browser: Browser) -> None:
    await selecting(browser)
    form = (await browser.open("/servers")).form("/generate/add")
    form.action = "/generate/remove"
    page = await browser.send(form, server=KEY, next="/generate")
    assert "No server is selected yet" in page.text


@pytest.mark.parametrize("value", ["x", "a/b", "%00", "a/b/c" * 200, "..%2F", '"quoted"', ""])
async def test_a_cookie_that_is_no_selection_selects_nothing(
    filled: CatalogSite, browser: Browser, value: str
) -> None:
    browser.cookies["thv_selection"] = value
    assert "No server is selected yet" in (await browser.open("/generate")).text


async def test_what_is_gone_is_named_and_left_out(filled: CatalogSite, browser: Browser) -> None:
    await selecting(browser, KEY, "tools/main/gone")
    page = await the_form(browser)
    assert "It cannot be taken over from tools/main" in page.text
    assert "kind: MCPRegistry" in page.html


async def test_a_server_is_added_by_what_it_is_called(
    filled: CatalogSite, browser: Browser
) -> None:
    for wanted in ("OSV-Scanner", "vulnerabilities"):
        browser.cookies.pop("thv_selection", None)
        form = (await browser.open("/generate")).form("/generate/add")
        added = await browser.send(form, wanted=wanted, follow=False)
        assert added.headers["location"] == "/generate#add"
        page = await browser.open("/generate")
        assert ("server", KEY) in page.form("/generate/render").fields


async def test_several_that_may_be_meant_are_chosen_from(
    filled: CatalogSite, browser: Browser
) -> None:
    form = (await browser.open("/generate")).form("/generate/add")
    added = await browser.send(form, wanted="qqqq & more", follow=False)
    assert added.headers["location"] == "/servers?search=qqqq+%26+more"
    assert "thv_selection" not in browser.cookies


def test_a_name_is_meant_before_what_is_found_first() -> None:
    info = {"namespace": "a", "name": "b"}
    found = [
        {"name": "io.example/maps", "display_name": "Maps and roads", "registry_info": info},
        {"name": "io.example/roads", "display_name": "Other", "registry_info": info},
    ]
    assert generate.meant("roads", found) == "a/b/io.example/roads"
    assert generate.meant("Maps And Roads", found) == "a/b/io.example/maps"
    assert generate.meant("road", found) == ""
    assert generate.meant("road", found[:1]) == "a/b/io.example/maps"


# ---------------------------------------------------------------- what was typed


async def test_what_was_typed_is_there_again(filled: CatalogSite, browser: Browser) -> None:
    await selecting(browser)
    await pressed(
        browser,
        "preview",
        registry_name="mine & <yours>",
        namespace="team-a",
        image_registry="mirror.corp:5000/mcp",
        enforce_tools="true",
        _tools=["osv-query"],
        _cpu="200m",
        **{"_name:osv-query": "ask", "_env:LOG_LEVEL": "private"},
    )
    assert "private" not in browser.cookies[WISHES]
    fields = (await the_form(browser)).form("/generate/render").fields
    kept = dict(fields)
    assert (kept["registry_name"], kept["namespace"]) == ("mine & <yours>", "team-a")
    assert (kept["image_registry"], kept["enforce_tools"]) == ("mirror.corp:5000/mcp", "true")
    assert [value for name, value in fields if name == FIELD + "tools"] == ["osv-query"]
    assert (kept[FIELD + "cpu"], kept[FIELD + "name:osv-query"]) == ("200m", "ask")
    assert kept[FIELD + "env:LOG_LEVEL"] == ""
    page = await pressed(browser, "Zip", registry_name="other", namespace="team-a")
    assert page.headers["content-type"] == "application/zip"
    kept = dict((await the_form(browser)).form("/generate/render").fields)
    assert kept["registry_name"] == "other"


async def test_of_more_than_fits_the_registry_is_kept(
    filled: CatalogSite, browser: Browser
) -> None:
    await selecting(browser)
    await pressed(browser, "preview", registry_name="mine", _custom_image="x" * 2000)
    assert browser.cookies[WISHES] == "registry_name=mine"
    await pressed(browser, "preview", registry_name="x" * 2000)
    assert WISHES not in browser.cookies


@pytest.mark.parametrize(
    "value",
    [
        "&&==%00",
        "server=a/b/c&csrf_token=x&drop=y&as=zip",
        f"{FIELD}env:LOG_LEVEL=x&{FIELD}without=nothing&{FIELD}name:nothing=y&.=z",
        "&".join(f"a{number}=b" for number in range(300)),
    ],
)
async def test_what_nobody_typed_fills_in_nothing(
    filled: CatalogSite, browser: Browser, value: str
) -> None:
    await selecting(browser)
    before = (await the_form(browser)).form("/generate/render")
    browser.cookies[WISHES] = value
    after = (await the_form(browser)).form("/generate/render")
    assert after.fields[1:] == before.fields[1:], "all but the word against forgery"


# ---------------------------------------------------------------- what it comes to


@pytest.mark.requirement("CAT-07", "CAT-11")
async def test_what_is_shown_is_what_the_api_renders(filled: CatalogSite, browser: Browser) -> None:
    await selecting(browser)
    page = await pressed(
        browser,
        "YAML",
        registry_name="mine",
        namespace="production",
        display_name="",
        enforce_tools="true",
        image_registry="mirror.corp:5000/mcp",
        include_tags="security, osv",
        _tools=["vulnerability-scan", "osv-query"],
        _cpu="200m",
        _memory_limit="1Gi",
        **{"_name:osv-query": "ask", "_env:LOG_LEVEL": "warn"},
    )
    asked = {
        "metadata": {"registry_name": "mine"},
        "configuration": {"enforce_tools": True},
        "servers": [
            {
                "name": "osv-scanner",
                "registry": "tools/main",
                "configuration": {
                    "tools_filter": ["vulnerability-scan", "osv-query"],
                    "tool_overrides": {"osv-query": {"name": "ask"}},
                    "env_overrides": {"LOG_LEVEL": "warn"},
                    "resources": {"cpu": "200m", "memory_limit": "1Gi"},
                },
            }
        ],
        "filters": {"global_tags": {"include": ["security", "osv"], "exclude": []}},
    }
    place = f"/api/v1/registries/production/render?image_registry={quote('mirror.corp:5000/mcp')}"
    told = {"content_type": "application/json", "accept": "application/yaml"}
    rendered = await browser.ask("POST", place, json.dumps(asked).encode(), **told)
    assert page.status == 200
    assert page.headers["content-type"] == "application/yaml"
    assert page.headers["content-disposition"] == 'attachment; filename="mine.yaml"'
    assert page.html == rendered.html


async def test_all_tools_are_no_filter(filled: CatalogSite, browser: Browser) -> None:
    await selecting(browser)
    page = await the_form(browser)
    assert "kind: MCPToolConfig" not in page.html
    fewer = await pressed(browser, "preview", _tools="osv-query")
    assert "kind: MCPToolConfig" in fewer.html


async def test_a_script_is_answered_with_what_it_comes_to(
    filled: CatalogSite, browser: Browser
) -> None:
    await selecting(browser)
    form = (await the_form(browser)).form("/generate/render")
    fields = [(n, v) for n, v in form.fields if n != "registry_name"]
    page = await browser.post(
        "/generate/render", [*fields, ("registry_name", "Bad Name")], hx_request="true"
    )
    assert page.status == 200
    assert "<form" not in page.html
    assert "<button" not in page.html, "what is about to be pressed is not replaced"
    assert "Name: must start with a letter" in page.text
    assert f'data-wrong="{anchor("registry_name")}"' in page.html
    assert "preview" not in page.ids, "what was good stays"
    good = await browser.post("/generate/render", form.fields, hx_request="true")
    assert {"outcome", "preview"} <= good.ids
    assert "kind: MCPRegistry" in good.html


async def test_what_is_wrong_stands_at_its_field_beside_what_was_typed(
    filled: CatalogSite, browser: Browser
) -> None:
    await selecting(browser)
    page = await pressed(
        browser,
        "preview",
        registry_name="Bad Name",
        _cpu="much <b>",
        _custom_image_digest="sha1:x",
        **{"_name:osv-query": "security-analysis"},
    )
    assert page.status == 400
    assert f'href="#{anchor(FIELD + "cpu")}"' in page.html
    values = dict(page.form("/generate/render").fields)
    assert values["registry_name"] == "Bad Name"
    assert values[FIELD + "cpu"] == "much <b>"
    for name in ("registry_name", FIELD + "cpu", FIELD + "custom_image_digest"):
        assert f"{anchor(name)}-wrong" in page.ids
    del browser.cookies[WISHES]
    fewer = await pressed(browser, "preview", **{"_name:osv-query": "security-analysis"})
    assert f"{anchor(FIELD + 'name:osv-query')}-wrong" in fewer.ids


async def test_a_namespace_is_needed(filled: CatalogSite, browser: Browser) -> None:
    await selecting(browser)
    page = await pressed(browser, "preview", namespace="")
    assert page.status == 400
    assert f"{anchor('namespace')}-wrong" in page.ids


async def test_a_server_goes_and_what_was_typed_stays(
    filled: CatalogSite, browser: Browser
) -> None:
    await filled.put("other", osv("0.2.0"), namespace="tools")
    await selecting(browser, "tools/other/osv-scanner", KEY)
    page = await pressed(browser, "preview", _cpu="123m")
    form = page.form("/generate/render")
    page = await browser.send(form, drop="tools/other/osv-scanner")
    form = page.form("/generate/render")
    assert [value for name, value in form.fields if name == "server"] == [KEY]
    assert dict(form.fields)[FIELD + "cpu"] == "123m"
    assert "Generate 1 selected" in page.text


@pytest.mark.requirement("CAT-10")
async def test_images_are_shown_with_where_they_are_copied_from(
    filled: CatalogSite, browser: Browser
) -> None:
    await selecting(browser)
    page = await pressed(browser, "preview", image_registry="mirror.corp/mcp")
    image = "stackloklabs/osv-mcp/server"
    assert f"Copy ghcr.io/{image} to mirror.corp/mcp/{image}" in page.text
    assert "images-to-copy.txt" in page.text
    assert "images-to-copy.txt" not in (await pressed(browser, "preview", image_registry="")).text


async def test_files_to_take_along(filled: CatalogSite, browser: Browser) -> None:
    await selecting(browser)
    page = await pressed(browser, "Zip", registry_name="mine")
    assert page.headers["content-type"] == "application/zip"
    assert page.headers["content-disposition"] == 'attachment; filename="mine.zip"'
    wrong = await pressed(browser, "Zip", registry_name="")
    assert wrong.status == 400
    assert f"{anchor('registry_name')}-wrong" in wrong.ids


# ---------------------------------------------------------------- creating


@pytest.mark.requirement("CAT-03", "GOV-14")
async def test_whoever_may_creates_it_and_looks_at_it(filled: CatalogSite, tmp_path: Path) -> None:
    mia = await selecting(await signed_in(guarded_pages(filled, tmp_path), "maker"))
    page = await pressed(mia, "preview", namespace="production", registry_name="mine")
    assert "Create the registry" in page.text
    form = page.form("/generate/render")
    form.action = "/generate/create"
    made = await mia.send(form, follow=False, **{FIELD + "tools": "osv-query"})
    assert made.status == 303, made.text
    assert made.headers["location"] == "/registries/production/mine?done=made"
    assert not {"thv_selection", WISHES} & {*mia.cookies}
    assert await filled.resources.get(MCP_REGISTRY, "production", "mine")
    config = await filled.resources.get(TOOL_CONFIG, "production", "mine-osv-scanner")
    assert config["spec"]["toolsFilter"] == ["osv-query"]
    await selecting(mia)
    again = await pressed(mia, "preview", namespace="production", registry_name="mine")
    assert again.status == 409
    assert f"{anchor('registry_name')}-wrong" in again.ids


async def test_whoever_may_not_is_told_and_takes_files(filled: CatalogSite, tmp_path: Path) -> None:
    rob = await selecting(await signed_in(guarded_pages(filled, tmp_path), "reader"))
    page = await the_form(rob)
    assert "data-create hidden" in page.html
    assert "You may not create it here" in page.text
    assert "Zip with image list" in page.text
    refused = await pressed(rob, "", "/generate/create", namespace="production")
    assert refused.status == 403
    assert f"{anchor('namespace')}-wrong" in refused.ids
    assert (await filled.resources.list(MCP_REGISTRY)).items == []


async def test_no_more_servers_are_asked_for_than_one_registry_may_have(
    filled: CatalogSite, browser: Browser
) -> None:
    many = [f"a/b/{number}" for number in range(201)]
    form = (await browser.open("/servers")).form("/generate/add")
    [token] = [value for name, value in form.fields if name == "csrf_token"]
    servers = [("server", each) for each in many]
    for place in ("/generate/render", "/generate/create"):
        page = await browser.post(place, [("csrf_token", token), *servers])
        assert (page.status, "at most 200" in page.text) == (400, True)
    page = await browser.open("/generate", cookie=f"thv_selection={'.'.join(many)}")
    assert "a/b/199" in page.html
    assert "a/b/200" not in page.html


async def test_nobody_suspended_what_was_made_of_selected_servers(
    site: CatalogSite, browser: Browser
) -> None:
    place = await site.put("mine", osv(), namespace="tools", syncPolicy={"enabled": False})
    registry = place.served.registry
    page = await browser.open("/registries/tools/mine")
    assert "Suspended: it is synchronized only when" in page.text
    labels = {MANAGED_BY: MANAGER}
    place.served.describe(msgspec.structs.replace(registry, labels=labels))
    page = await browser.open("/registries/tools/mine")
    assert "Suspended" not in page.text
    assert "Synced on request" in page.text
    assert "from selected servers" in page.text
