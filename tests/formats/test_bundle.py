from __future__ import annotations

from typing import Any

import msgspec
import pytest

from thv.domain.errors import Code, ThvError
from thv.formats.bundle import (
    BYTE_LIMIT,
    FILE_LIMIT,
    Catalog,
    Listed,
    Manifest,
    is_safe_path,
    parse_manifest,
    render_manifest,
)

DIGEST = "sha256:" + "ab" * 32
CATALOG = Catalog(
    name="production-catalog",
    title="Tested",
    description="What we run",
    trust_level="trusted",
    source="production/production-catalog",
    snapshot=DIGEST,
    created="2026-01-01T00:00:00Z",
    servers=2,
    image_registry="registry.corp.example/mcp",
    program="1.0.0",
)


def listed(path: str = "registry.json", size: int = 3, digest: str = DIGEST) -> Listed:
    return Listed(path=path, media_type="application/json", size=size, digest=digest)


def text(*files: Listed, **changes: Any) -> bytes:
    value = msgspec.json.decode(render_manifest(Manifest(catalog=CATALOG, files=files)))
    return msgspec.json.encode({**value, **changes})


def refused(content: bytes) -> ThvError:
    with pytest.raises(ThvError) as raised:
        parse_manifest(content)
    return raised.value


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = Manifest(catalog=CATALOG, files=(listed(), listed("docs/a/README.md")))
    assert parse_manifest(render_manifest(manifest)) == manifest


def test_a_manifest_is_that_of_an_oci_artifact() -> None:
    value = msgspec.json.decode(text(listed()))
    assert value["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert value["layers"] == [
        {
            "mediaType": "application/json",
            "digest": DIGEST,
            "size": 3,
            "annotations": {"org.opencontainers.image.title": "registry.json"},
        }
    ]


@pytest.mark.parametrize(
    "path",
    [
        "../registry.json", "/etc/passwd", "docs/../../x", "docs//x", "docs/.", ".hidden", "docs/.git/config",
        "a\\b", "a\nb", "bundle.json", "a/b/c/d/e", "", "ä", "x" * 129, "a.", "C:x", "docs/ ",
    ],
)  # fmt: skip
def test_no_file_lies_outside_or_is_hidden(path: str) -> None:
    assert not is_safe_path(path)
    assert refused(text(listed(path))).code is Code.SNAPSHOT_DAMAGED


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text(listed(), listed()), "lists registry.json twice"),
        (text(listed(), listed("Registry.json")), "lists Registry.json twice"),
        (text(listed(size=-1)), "the size of registry.json is none: -1"),
        (text(listed(size=BYTE_LIMIT + 1)), "the size of registry.json is none"),
        (text(listed(size=BYTE_LIMIT), listed("b")), "more than 8 GiB together"),
        (text(listed(digest="md5:1")), "the digest of registry.json is none: 'md5:1'"),
        (text(*(listed(f"f{n}") for n in range(FILE_LIMIT + 1))), "lists 20,001 files"),
        (text(layers=None), "lists no layers"),
        (text(layers=["x"]), "layers[0] is no object"),
        (text(annotations={}), "do not say what it is"),
    ],
)
def test_what_may_not_be_followed_is_damaged(content: bytes, said: str) -> None:
    error = refused(content)
    assert (error.code, said in error.message) == (Code.SNAPSHOT_DAMAGED, True), error.message


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"artifactType": "other"}', b"[" * 9999])
def test_another_document_is_none(content: bytes) -> None:
    assert refused(content).code is Code.FORMAT_UNSUPPORTED
