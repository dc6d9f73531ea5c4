from __future__ import annotations

from typing import Any

import pytest

from thv.domain.canonical import JsonObject
from thv.domain.target import (
    Container,
    NotRunnable,
    Package,
    Remote,
    Target,
    image_of,
    image_tag,
    target_of,
)

STDIO = {"type": "stdio"}
DIGEST = "sha256:" + "a" * 64


def oci(identifier: Any, **fields: Any) -> JsonObject:
    return {"registryType": "oci", "identifier": identifier, "transport": STDIO, **fields}


def npm(identifier: Any, **fields: Any) -> JsonObject:
    return {"registryType": "npm", "identifier": identifier, "transport": STDIO, **fields}


def pypi(identifier: Any, **fields: Any) -> JsonObject:
    return {"registryType": "pypi", "identifier": identifier, "transport": STDIO, **fields}


def remote(url: Any, kind: Any = "sse") -> JsonObject:
    return {"type": kind, "url": url}


def http(url: Any) -> JsonObject:
    return {"type": "streamable-http", "url": url}


TARGETS: dict[str, tuple[JsonObject, Target]] = {
    "an image": ({"packages": [oci("a/b:1")]}, Container(0, "a/b:1", "stdio")),
    "a remote before any package": (
        {"packages": [oci("a/b:1")], "remotes": [remote("https://a.example")]},
        Remote(0, "https://a.example", "sse"),
    ),
    "the first remote that can be called": (
        {"remotes": ["x", {}, remote("", "sse"), remote("https://a", "stdio"), http("https://b")]},
        Remote(4, "https://b", "streamable-http"),
    ),
    "an image before packages that need a runner": (
        {"packages": [npm("a"), oci("a/b:1"), oci("c/d:2")]},
        Container(1, "a/b:1", "stdio"),
    ),
    "an npm package": (
        {"packages": [npm("@a/b", version="1.0.0")]},
        Package(0, "npx://@a/b@1.0.0", "stdio"),
    ),
    "a PyPI package without version": ({"packages": [pypi("a")]}, Package(0, "uvx://a", "stdio")),
    "the first package that has a runner": (
        {"packages": [{"registryType": "mcpb", "identifier": "https://x"}, pypi("a"), npm("b")]},
        Package(1, "uvx://a", "stdio"),
    ),
    "packages that are none are passed over": (
        {"packages": [None, oci(""), oci(7), npm(None), npm("a")]},
        Package(4, "npx://a", "stdio"),
    ),
    "a port of the machine itself": (
        {"packages": [oci("a:1", transport=http("http://localhost:8080/mcp"))]},
        Container(0, "a:1", "streamable-http", 8080),
    ),
    "the address of another machine names no port": (
        {"packages": [oci("a:1", transport=http("https://a.example:8080/mcp"))]},
        Container(0, "a:1", "streamable-http"),
    ),
    "a port that cannot be": (
        {"packages": [oci("a:1", transport=http("http://127.0.0.1:70000"))]},
        Container(0, "a:1", "streamable-http"),
    ),
    "a package over SSE": (
        {"packages": [npm("a", transport={"type": "sse", "url": "http://[::1]:90"})]},
        Package(0, "npx://a", "sse", 90),
    ),
    "a transport that nobody knows is stdio": (
        {"packages": [oci("a:1", transport={"type": "smoke"})]},
        Container(0, "a:1", "stdio"),
    ),
    "a transport of another shape is stdio": (
        {"packages": [oci("a:1", transport="sse")]},
        Container(0, "a:1", "stdio"),
    ),
    "nothing": ({}, NotRunnable("neither packages nor remotes")),
    "lists of another shape": (
        {"packages": {}, "remotes": ""},
        NotRunnable("neither packages nor remotes"),
    ),
    "only what nobody runs": (
        {"packages": [{"registryType": "nuget"}, {"registryType": "mcpb"}, {"registryType": 1}]},
        NotRunnable("no runner for packages of type mcpb, nuget, untyped"),
    ),
    "only remotes that cannot be called": (
        {"remotes": [remote("", "sse")]},
        NotRunnable("no remote has a URL and a transport of sse or streamable-http"),
    ),
}

IMAGES: dict[str, tuple[JsonObject, str]] = {
    "tagged": (oci("a/b:1"), "a/b:1"),
    "by digest": (oci(f"a/b@{DIGEST}", version="9"), f"a/b@{DIGEST}"),
    "host and tag apart": (
        oci("a/b", registryBaseUrl="https://ghcr.io", version="1"),
        "ghcr.io/a/b:1",
    ),
    "host twice": (
        oci("ghcr.io/a/b", registryBaseUrl="https://ghcr.io/", version="1"),
        "ghcr.io/a/b:1",
    ),
    "a port is no tag": (oci("localhost:5000/a", version="1"), "localhost:5000/a:1"),
    "tag apart": (oci("a/b", version="1"), "a/b:1"),
    "without tag": (oci("a/b"), "a/b"),
    "fields of another type": (oci("a/b", registryBaseUrl=1, version=2), "a/b"),
    "empty": (oci(""), ""),
}

TAGS = {
    "a/b:1.0.0": "1.0.0",
    "a/b": "",
    "localhost:5000/a": "",
    f"a/b:1@{DIGEST}": "1",
    f"a/b@{DIGEST}": "",
    "npx://@a/b@1.0": "1.0",
    "npx://@a/b": "",
    "uvx://a@2": "2",
    "go://a@2": "",
    "": "",
}


@pytest.mark.parametrize(("server", "target"), TARGETS.values(), ids=TARGETS.keys())
def test_what_is_run_of_a_server(server: JsonObject, target: Target) -> None:
    assert target_of(server) == target


@pytest.mark.parametrize(("package", "image"), IMAGES.values(), ids=IMAGES.keys())
def test_the_image_of_a_package_is_one_reference(package: JsonObject, image: str) -> None:
    assert image_of(package) == image


@pytest.mark.parametrize(("reference", "tag"), TAGS.items())
def test_the_tag_of_a_reference(reference: str, tag: str) -> None:
    assert image_tag(reference) == tag


def test_what_cannot_be_run_has_neither_reference_nor_transport() -> None:
    nothing = target_of({})
    assert (nothing.kind, nothing.reference, nothing.transport) == ("none", "", "")
