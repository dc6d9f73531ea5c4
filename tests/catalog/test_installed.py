"""How an installed server stands to the registry that it came from."""

from __future__ import annotations

from typing import Any

import pytest

from thv.catalog.installed import (
    Drift,
    Offer,
    drift_of,
    installed_of,
    is_called,
    is_from,
    is_image,
)
from thv.domain.canonical import JsonObject

pytestmark = pytest.mark.requirement("CLI-05")

IMAGE = "ghcr.io/example/notes:1.0.0"
NEXT = "ghcr.io/example/notes:1.1.0"
DIGEST = f"@sha256:{'a' * 64}"
OURS, THEIRS = "toolhive.stacklok.io/", "toolhive.stacklok.dev/"


def a_server(
    labels: JsonObject, annotations: JsonObject | None = None, image: str = IMAGE
) -> JsonObject:
    return {
        "metadata": {
            "name": "docs",
            "namespace": "team",
            "labels": labels,
            "annotations": annotations or {},
        },
        "spec": {"image": image},
    }


def installed(version: str = "1.0.0", image: str = IMAGE) -> Any:
    said = {f"{OURS}server-version": version} if version else {}
    return installed_of(a_server({f"{OURS}registry-name": "corp"}, said, image))


@pytest.mark.parametrize("prefix", [OURS, THEIRS])
def test_labels_are_read_under_both_prefixes(prefix: str) -> None:
    labels = {
        f"{prefix}registry-name": "corp",
        f"{prefix}registry-namespace": "system",
        f"{prefix}server-name": "notes",
    }
    found = installed_of(a_server(labels))
    assert (found.registry, found.registry_namespace, found.server) == ("corp", "system", "notes")
    assert is_from(found, "system", "corp")
    assert not is_from(found, "team", "corp")
    assert is_called(found, "notes")


@pytest.mark.parametrize(
    ("text", "space", "name"), [("corp", "", "corp"), ("system/corp", "system", "corp")]
)
def test_the_annotation_alone_names_a_registry(text: str, space: str, name: str) -> None:
    found = installed_of(a_server({}, {"registry.toolhive.io/source": text}))
    assert (found.registry_namespace, found.registry) == (space, name)


def test_a_server_of_nobody_came_from_nowhere() -> None:
    found = installed_of({"metadata": {"name": "docs"}, "spec": None, "status": []})
    assert (found.registry, found.server, found.image, found.status) == ("", "", "", "")


@pytest.mark.parametrize(
    ("server", "same", "latest", "drift"),
    [
        (installed(), Offer("1.0.0", IMAGE), Offer("1.0.0", IMAGE), Drift.NONE),
        (installed(), Offer("1.0.0", IMAGE), Offer("1.1.0", NEXT), Drift.OUTDATED),
        (installed(), None, Offer("1.1.0", NEXT), Drift.OUTDATED),
        (installed(), None, None, Drift.GONE),
        (installed(), Offer("1.0.0", NEXT), Offer("1.0.0", NEXT), Drift.CHANGED),
        (installed(image=NEXT), Offer("1.0.0", IMAGE), Offer("1.0.0", IMAGE), Drift.CHANGED),
        (installed(""), None, Offer("1.0.0", IMAGE), Drift.NONE),
        (installed(""), None, Offer("1.1.0", NEXT), Drift.CHANGED),
        (installed(image=IMAGE + DIGEST), Offer("1", IMAGE), Offer("1", IMAGE), Drift.NONE),
    ],
)
def test_drift(server: Any, same: Offer | None, latest: Offer | None, drift: Drift) -> None:
    assert drift_of(server, same, latest) is drift


def test_a_digest_of_one_side_says_nothing_against_the_image() -> None:
    assert is_image(IMAGE + DIGEST, IMAGE)
    assert is_image(IMAGE, IMAGE + DIGEST)
    assert not is_image(IMAGE + DIGEST, f"{IMAGE}@sha256:{'b' * 64}")
    assert not is_image(IMAGE, NEXT)
