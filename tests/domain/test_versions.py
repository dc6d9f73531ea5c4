from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thv.domain.versions import order_key, parse_semver, pick_latest


class Row(msgspec.Struct, frozen=True):
    version: str
    published_at: str = ""
    marked_latest: bool = False
    deleted: bool = False


# Rising order, as semver.org gives it.
SEMVER = [
    "0.0.1",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1-0",
    "1.0.1-1",
    "1.0.1--",
    "v1.0.1",
    "1.2.0",
    "1.10.0+build.5",
    "2.0.0",
    "10.0.0",
]

NOT_SEMVER = [
    "",
    "latest",
    "auto",
    "{{VERSION}}",
    "2.1",
    "1",
    "1.2.3.4",
    "2025.06.18",
    "0.7.10.dev1",
    "1.0.1º",
    "1.0.0-",
    "1.0.0-01",
    "1.0.0-a..b",
    "1.0.0+",
    "01.0.0",
    "1.0.0\n",
    "\u0661.0.0",
    "1.0.0-" + "9" * 19,
    "9" * 19 + ".0.0",
]

LATEST: dict[str, tuple[list[Row], str]] = {
    "the marked one": ([Row("2.0.0"), Row("1.0.0", marked_latest=True)], "1.0.0"),
    "the highest of several marked ones": (
        [Row("1.0.0", marked_latest=True), Row("1.1.0", marked_latest=True), Row("9.0.0")],
        "1.1.0",
    ),
    "the highest semantic version": ([Row("1.10.0"), Row("1.9.0"), Row("1.10.0-rc.1")], "1.10.0"),
    "not the one published last": (
        [Row("2.0.0", "2025-01-01T00:00:00Z"), Row("1.9.9", "2025-02-01T00:00:00Z")],
        "2.0.0",
    ),
    "of equal ones the later": (
        [Row("1.0.0+b", "2025-01-01T00:00:00Z"), Row("1.0.0+a", "2025-02-01T00:00:00Z")],
        "1.0.0+a",
    ),
    "of others the one published last": (
        [Row("zeta", "2025-01-01T00:00:00Z"), Row("alpha", "2025-01-01T00:00:00.5Z")],
        "alpha",
    ),
    "the semantic one of a mixed pair": (
        [Row("nightly", "2026-01-01T00:00:00Z"), Row("0.0.1", "2025-01-01T00:00:00Z")],
        "0.0.1",
    ),
    "none that is deleted": (
        [Row("3.0.0", deleted=True, marked_latest=True), Row("1.0.0"), Row("2.0.0")],
        "2.0.0",
    ),
    "deleted ones when all are": (
        [Row("1.0.0", deleted=True), Row("2.0.0", deleted=True)],
        "2.0.0",
    ),
    "the marked one when all are deleted": (
        [Row("1.0.0", deleted=True, marked_latest=True), Row("2.0.0", deleted=True)],
        "1.0.0",
    ),
    "the only one": ([Row("")], ""),
}


def test_semantic_versions_sort_as_their_specification_says() -> None:
    assert sorted(random.Random(1).sample(SEMVER, len(SEMVER)), key=order_key) == SEMVER


@pytest.mark.parametrize("text", NOT_SEMVER)
def test_anything_else_is_no_semantic_version(text: str) -> None:
    assert parse_semver(text) is None


def test_build_metadata_does_not_count() -> None:
    assert parse_semver("v1.2.3+a") == parse_semver("1.2.3+b")


@pytest.mark.parametrize(("rows", "latest"), LATEST.values(), ids=LATEST.keys())
def test_the_latest_version_is(rows: list[Row], latest: str) -> None:
    assert pick_latest(rows).version == latest
    assert pick_latest(reversed(rows)).version == latest


rows = st.builds(
    Row,
    version=st.sampled_from([*SEMVER, *NOT_SEMVER]),
    published_at=st.sampled_from(["", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00.123Z", "2026"]),
    marked_latest=st.booleans(),
    deleted=st.booleans(),
)


@given(st.lists(rows, min_size=1, max_size=8, unique_by=lambda row: row.version), st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_arrival(listed: list[Row], chance: Any) -> None:
    shuffled = list(listed)
    chance.shuffle(shuffled)
    assert pick_latest(shuffled) == pick_latest(listed)


@given(st.lists(rows, min_size=1, max_size=8, unique_by=lambda row: row.version))
def test_a_deleted_version_is_the_latest_only_when_all_are_deleted(listed: list[Row]) -> None:
    assert pick_latest(listed).deleted == all(row.deleted for row in listed)
