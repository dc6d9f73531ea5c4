from __future__ import annotations

import gzip
from base64 import b64decode
from typing import Any

import msgspec
import pytest
import yaml

from tests.builders import server, toolhive_entry
from thv.catalog.bundle import parts as flow
from thv.catalog.bundle.carried import Image, carried, image_of, page_of
from thv.catalog.bundle.pages import page
from thv.catalog.bundle.parts import Contents, images_of, parts
from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry
from thv.domain.errors import Code, ThvError
from thv.formats.bundle import Catalog, is_safe_path
from thv.formats.documents import DocumentReader, Found
from thv.formats.mapping import SERVERS
from thv.formats.official import entry_of
from thv.formats.toolhive import entry_of_toolhive, placed_entry

DIGEST = "sha256:" + "ab" * 32
MIRROR = "registry.corp.example/mcp"


def entry(key: str = "osv", **fields: Any) -> Entry:
    return entry_of_toolhive(key, toolhive_entry(**fields), section=SERVERS)


def contents(*entries: Entry, image_registry: str = "", name: str = "corp") -> Contents:
    catalog = Catalog(
        name=name,
        title="Corporate",
        trust_level="trusted",
        source="production/corp",
        snapshot=DIGEST,
        created="2026-01-01T00:00:00Z",
        servers=len(entries),
        image_registry=image_registry,
        program="1.0.0",
    )
    return Contents(catalog=catalog, entries=lambda: list(entries))


def files(found: Contents) -> dict[str, bytes]:
    return {part.path: b"".join(part.pieces) for part in parts(found, images_of(found))}


def own(value: JsonObject) -> JsonObject:
    return value["custom_metadata"]["toolhive.stacklok.io"]  # type: ignore[no-any-return]


def read(document: bytes) -> list[Entry]:
    reader = DocumentReader()
    items = [*reader.feed(document), *reader.close()]
    assert all(isinstance(each, Found) for each in items)
    return [each.entry for each in items if isinstance(each, Found)]


def test_a_bundle_holds_all_that_a_closed_place_needs() -> None:
    made = files(contents(entry(), image_registry=MIRROR))
    assert list(made) == [
        "registry.json",
        "registry.upstream.json",
        "images.txt",
        "manifests/corp.yaml",
        "docs/osv/README.md",
        "README.md",
    ]
    assert (
        made["images.txt"]
        == f"ghcr.io/example/server:1.0.0 {MIRROR}/example/server:1.0.0\n".encode()
    )
    assert b"kubectl apply -n NAMESPACE -f manifests/" in made["README.md"]


def test_both_documents_hold_the_same_entries() -> None:
    made = files(contents(entry(), entry_of(server("io.example/npm")), image_registry=MIRROR))
    toolhive, official = read(made["registry.json"]), read(made["registry.upstream.json"])
    assert [each.digest for each in toolhive] == [each.digest for each in official]


def test_the_manifests_serve_the_very_document() -> None:
    made = files(contents(entry()))
    config_map, registry = yaml.safe_load_all(made["manifests/corp.yaml"])
    assert config_map["data"]["registry.json"].encode() == made["registry.json"]
    assert "namespace" not in registry["metadata"]
    assert registry["spec"] == {
        "displayName": "Corporate",
        "trustLevel": "trusted",
        "format": "toolhive",
        "source": {"type": "configmap", "configMap": {"name": "corp-data", "key": "registry.json"}},
    }


def test_a_larger_document_is_packed_and_a_much_larger_one_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large = contents(*(entry(f"s{number}", description="x" * 900) for number in range(250)))
    made = files(large)
    config_map, registry = yaml.safe_load_all(made["manifests/corp.yaml"])
    packed = b64decode(config_map["binaryData"]["registry.json.gz"])
    assert gzip.decompress(packed) == made["registry.json"]
    assert registry["spec"]["source"]["configMap"]["key"] == "registry.json.gz"
    monkeypatch.setattr("thv.catalog.bundle.applied.DATA_LIMIT", 1000)
    made = files(large)
    assert "manifests/corp.yaml" not in made
    assert b"thv registry add corp --url" in made["README.md"]


def test_a_large_registry_has_no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "PAGE_LIMIT", 1)
    made = files(contents(entry("a"), entry("b", image="ghcr.io/example/b:1")))
    assert not any(path.startswith("docs/") for path in made)
    assert read(made["registry.json"])[0].digest == entry("a").digest


def test_an_image_keeps_its_digest_where_it_goes() -> None:
    pinned = entry(image=f"ghcr.io/example/server:1.0.0@{DIGEST}")
    assert image_of(pinned, MIRROR) == Image(
        f"ghcr.io/example/server@{DIGEST}", f"{MIRROR}/example/server:1.0.0"
    )
    value = placed_entry(carried(pinned, image_registry=MIRROR)).value
    assert value["image"] == f"{MIRROR}/example/server:1.0.0"
    assert own(value) == {"image_digest": DIGEST}


def test_what_does_not_change_is_left_alone() -> None:
    package = entry_of(server("io.example/npm"))
    assert carried(package, image_registry=MIRROR) is package
    assert image_of(package) is None


def test_an_entry_keeps_version_times_and_groups() -> None:
    document = {
        "servers": {},
        "groups": [{"name": "tools", "description": "", "servers": {"osv": toolhive_entry()}}],
    }
    (before,) = read(msgspec.json.encode(document))
    before = msgspec.structs.replace(before, published_at="2026-01-01T00:00:00Z")
    after = carried(before, image_registry=MIRROR, page="docs/osv/README.md")
    assert (after.name, after.version) == (before.name, before.version)
    assert after.published_at == before.published_at
    assert b'"groups"' in files(contents(before, image_registry=MIRROR))["registry.json"]
    assert own(placed_entry(after).value) == {"offline_docs_path": "docs/osv/README.md"}


def test_two_images_never_take_one_place() -> None:
    first = entry("a", image="docker.io/mcp/search:1")
    second = entry("b", image="docker.elastic.co/mcp/search:1")
    with pytest.raises(ThvError) as raised:
        files(contents(first, second, image_registry=MIRROR))
    assert raised.value.code is Code.CONFLICT
    assert f"would both be {MIRROR}/mcp/search:1" in raised.value.message


def test_a_page_shows_what_strangers_wrote_as_text() -> None:
    text = page(
        entry(
            description="<script>alert(1)</script> [click](http://evil)\n# Title\u202e",
            tools=["a|b"],
            env_vars=[{"name": "TOKEN", "description": "", "secret": True, "default": "hidden"}],
        )
    ).decode()
    assert "\\<script\\>" in text
    assert "\\[click\\](http://evil) \\# Title" in text
    assert "| a\\|b |  |" in text
    assert "hidden" not in text
    assert "\u202e" not in text


def test_an_overview_stands_on_the_page_as_its_publisher_wrote_it() -> None:
    text = page(entry(overview="# OSV\n\n````\n<b>\u200bhidden</b>\n````\n")).decode()
    assert "`````text\n# OSV\n\n````\n<b> hidden</b>\n````\n`````\n" in text


def test_every_server_has_a_page_of_its_own() -> None:
    keys = ("a-b", "a.b", "a_b", "A-b", "a/b", "x" * 80, "x" * 81, "a-b-12345678", "ä")
    pages = [page_of(entry(key)) for key in keys]
    assert len({each.casefold() for each in pages}) == len(keys)
    assert all(is_safe_path(each) for each in pages)
    assert pages[0] == "docs/a-b/README.md"


@pytest.mark.parametrize(
    "image",
    [
        "-v/x",
        "ghcr.io/a/b:1\nghcr.io/evil/b:1 registry.corp.example/mcp/x:1",
        "-v",
        "a b",
        "../x",
        "$(id)",
    ],
)
def test_no_image_smuggles_a_line_into_the_list(image: str) -> None:
    assert files(contents(entry(image=image), image_registry=MIRROR))["images.txt"] == b""
