"""Decisions about installations: pure functions, as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from thv.apps.cli.exits import CommandError
from thv.apps.cli.operating.judging import is_older, next_image, require_stored_versions
from thv.apps.cli.operating.leading import SILENT, Leader
from thv.apps.cli.operating.standing import Standing, Versions, problems
from thv.domain.times import render_time

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("image", "installed", "wanted"),
    [
        ("toolhive-registry:1.0.0", "1.0.0", "toolhive-registry:1.1.0"),
        ("r.io:5000/x/y:1.0.0", "1.0.0", "r.io:5000/x/y:1.1.0"),
        ("r.io/x:1.1.0", "", "r.io/x:1.1.0"),
        ("r.io/x:latest", "1.0.0", None),
        (f"r.io/x@{DIGEST}", "1.0.0", None),
        ("r.io/x:1.0.0", "0.9.0", None),
        ("r.io/x", "", None),
    ],
)
def test_the_next_image_is_where_the_one_before_is(
    image: str, installed: str, wanted: str | None
) -> None:
    if wanted is not None:
        assert next_image(image, installed, "1.1.0") == wanted
        return
    with pytest.raises(CommandError, match="whose tag is not") as error:
        next_image(image, installed, "1.1.0")
    assert "--image" in error.value.hint


def kind(*versions: str, stored: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "metadata": {"name": "things.example"},
        "spec": {"versions": [{"name": each} for each in versions]},
        "status": {"storedVersions": list(stored)},
    }


def test_what_is_stored_must_be_known_to_what_comes() -> None:
    require_stored_versions([kind("v1", "v2")], [kind("v1", stored=("v1",))])
    require_stored_versions([], [kind("v2", stored=("v2",))])
    with pytest.raises(CommandError, match="stored as v2, which this release does not know"):
        require_stored_versions([kind("v1")], [kind("v1", "v2", stored=("v1", "v2"))])


def test_a_way_back_is_known_where_versions_are() -> None:
    assert is_older("0.1.0", "0.2.0")
    assert is_older("0.2.0-rc.1", "0.2.0")
    assert not is_older("0.2.0", "0.2.0")
    assert not is_older("0.1.0", "latest")


def leader(ago: float) -> Leader:
    return Leader("pod-1", "", render_time(NOW - timedelta(seconds=ago)))


WELL = Standing(
    namespace="system",
    version="1.0.0",
    image="x:1.0.0",
    managed_by="thv-operator",
    scope="cluster",
    namespaces=(),
    wanted=1,
    ready=1,
    rolled_out=True,
    trouble="",
    leader=leader(1),
    kinds=(Versions("things", ("v1",), ("v1",), established=True),),
    registries={"Failed": 1},
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"rolled_out": False}, []),
        ({"ready": 0, "rolled_out": False}, ["0 of 1 pods are ready"]),
        ({"trouble": "no image", "rolled_out": False}, ["no image"]),
        ({"wanted": 0, "ready": 0, "leader": None}, ["no pod is wanted"]),
        ({"leader": None}, ["no process leads"]),
        ({"leader": leader(SILENT + 1)}, ["no process leads"]),
        ({"kinds": ()}, ["the cluster does not know the kind MCPRegistry"]),
        (
            {"kinds": (Versions("things", ("v1",), (), established=False),)},
            ["the cluster does not know the kind MCPRegistry"],
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_helps(change: dict[str, Any], said: list[str]) -> None:
    found = list(problems(msgspec.structs.replace(WELL, **change), NOW))
    assert [each.message for each in found] == said
    assert all(each.command for each in found)
