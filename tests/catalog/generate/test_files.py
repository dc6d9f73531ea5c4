"""What somebody carries to a network without a way out, and reads there."""

from __future__ import annotations

import io
import zipfile

import msgspec
import pytest

from tests.catalog.generate.requests import DIGEST, generated, osv, remote, request, wanted
from thv.catalog.generate.files import archive
from thv.catalog.generate.manifests import Generation
from thv.domain.entry import Entry

MIRROR = "mirror.corp:5000/mcp"
OSV = "ghcr.io/stackloklabs/osv-mcp/server"


def files(made: Generation) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(archive(made))) as packed:
        return {name: packed.read(name).decode() for name in packed.namelist()}


def other(image: str) -> Entry:
    entry = osv(image=image, tags=["b"])
    return msgspec.structs.replace(entry, server={**entry.server, "name": "io.example/b"})


def package() -> Entry:
    packages = [{"registryType": "npm", "identifier": "@example/notes", "version": "1.0.0"}]
    server = {"name": "io.example/notes", "description": "Notes", "version": "1.0.0"}
    return Entry(server={**server, "packages": packages})


@pytest.mark.requirement("CAT-10")
def test_each_image_is_told_with_where_it_is_copied_from() -> None:
    body = request(wanted("osv"), wanted("io.example/b"))
    told = files(
        generated(body, osv(), other(f"docker.io/library/b:2@{DIGEST}"), image_registry=MIRROR)
    )
    assert told["images-to-copy.txt"].splitlines() == [
        f"docker.io/library/b@{DIGEST} {MIRROR}/library/b:2",
        f"{OSV}:0.0.7 {MIRROR}/stackloklabs/osv-mcp/server:0.0.7",
    ]
    assert told["images.txt"].splitlines() == [
        f"{MIRROR}/library/b:2@{DIGEST}",
        f"{MIRROR}/stackloklabs/osv-mcp/server:0.0.7",
    ]
    assert "Images to copy first: 2." in told["README.md"]
    assert 'crane copy "$from" "$to"; done < images-to-copy.txt' in told["README.md"]


@pytest.mark.requirement("CAT-10")
def test_what_is_where_it_is_wanted_is_not_copied() -> None:
    body = request(wanted("osv", custom_image="own.example/osv:3"), wanted("io.example/b"))
    made = generated(body, osv(), other(f"{MIRROR}/b:2"), image_registry=MIRROR)
    assert "images-to-copy.txt" not in files(made)
    plain = files(generated(request(wanted("osv")), osv()))
    assert "images-to-copy.txt" not in plain
    assert "## Images" not in plain["README.md"]


@pytest.mark.requirement("CAT-10")
def test_what_lies_outside_is_named_to_whoever_carries_the_rest() -> None:
    body = request(wanted("far"), wanted("io.example/notes"))
    made = generated(body, remote(), package(), image_registry=MIRROR)
    assert [(each.path, each.message) for each in made.warnings] == [
        (
            "servers[0].name",
            "is run by somebody else, at https://mcp.example.com/mcp, and does not work in a network without a way out",
        ),
        (
            "servers[1].name",
            "is fetched from npm when it is run, and does not work in a network without a way out",
        ),
    ]
    text = files(made)["README.md"]
    assert "- `far`: is run by somebody else" in text
    assert "- `io.example/notes`: is fetched from npm" in text
    assert "## Worth knowing" not in text


def test_who_mirrors_nothing_is_told_by_the_readme_alone() -> None:
    made = generated(request(wanted("far")), remote())
    assert made.warnings == ()
    assert "- `far`: is run by somebody else" in files(made)["README.md"]


def test_the_readme_speaks_of_servers_and_not_of_fields() -> None:
    text = files(generated(request(wanted("osv")), osv()))["README.md"]
    assert "- `osv`: no digest: the image can change behind the tag" in text
    assert "servers[0]" not in text
    assert "Its trust level is raw" in text
