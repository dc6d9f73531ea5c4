"""The reference of the API: the same document that programs get, in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite
from tests.apps.dashboard.browsing import Browser
from tests.apps.dashboard.conftest import guarded_pages, signed_in
from thv.apps.dashboard.reference import Operation, kind_of, sections_of, shapes_of

pytestmark = pytest.mark.anyio


async def _document(browser: Browser) -> dict[str, Any]:
    answer = await browser.ask("GET", "/openapi.json", accept="application/json")
    found: dict[str, Any] = json.loads(answer.html)
    return found


def _operations(document: dict[str, Any]) -> list[Operation]:
    return [each for section in sections_of(document) for each in section.operations]


async def test_everything_that_is_supported_is_there_once(browser: Browser) -> None:
    document = await _document(browser)
    told = [
        (each.method.lower(), path)
        for each in _operations(document)
        for path in (each.path, *each.also)
    ]
    documented = {
        (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "publish" not in operation["tags"]
    }
    assert (len(told), set(told)) == (len(documented), documented)


async def test_every_shape_that_is_named_is_explained(browser: Browser) -> None:
    document = await _document(browser)
    shapes = shapes_of(document)
    kinds = [field.kind for shape in shapes for field in shape.fields]
    for each in _operations(document):
        kinds += [each.takes, each.gives, *(field.kind for field in each.fields)]
    named = {piece.shape for kind in kinds for piece in kind if piece.shape}
    assert "CatalogListedServer" in named
    assert named <= {shape.name for shape in shapes}


async def test_the_page_shows_what_to_send(browser: Browser) -> None:
    page = await browser.open("/api/docs")
    assert (page.status, page.title) == (200, "API · MCP catalog")
    for text in ("Servers and tools", "The official MCP registry API", "/api/v1/mcp_servers"):
        assert text in page.text
    assert "curl 'http://catalog.test/api/v1/mcp_servers/NAME'" in page.text
    assert "-X POST -H 'Content-Type: application/json' --data @body.json" in page.text
    assert "Authorization" not in page.text
    assert page.place("OpenAPI as JSON") == "/openapi.json"
    assert (await browser.open("/")).place("API") == "/api/docs"


async def test_where_somebody_is_asked_who_they_are_it_says_so(
    site: CatalogSite, tmp_path: Path
) -> None:
    rob = await signed_in(guarded_pages(site, tmp_path), "reader")
    page = await rob.open("/api/docs")
    assert "Authorization: Bearer TOKEN" in page.text
    assert 'curl -H "Authorization: Bearer $TOKEN"' in page.text
    assert "get mcpregistries (toolhive.stacklok.io)" in page.text


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "maxLength": 63}, "string of at most 63 characters"),
        ({"type": "integer", "minimum": 1, "maximum": 1000}, "integer from 1 to 1000"),
        ({"type": "string", "format": "date-time"}, "string (date-time)"),
        ({"type": ["string", "null"]}, "string or null"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Tool"}}, "list of Tool"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer"),
        ({"anyOf": [{"$ref": "#/components/schemas/Tool"}, {"type": "null"}]}, "Tool or null"),
        ({"enum": ["raw", 1, None]}, "raw or 1 or null"),
        ({"enum": [str(number) for number in range(13)]}, " or ".join([*map(str, range(12)), "..."])),
        ({"const": True}, "true"),
        ({}, "anything"),
    ],
)  # fmt: skip
def test_a_kind_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert "".join(piece.text for piece in kind_of(schema)) == words
