from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thv.domain.entry import Status
from thv.domain.facts import Facts
from thv.domain.filter import Filter, Selection, compile_filter

pytestmark = pytest.mark.requirement("REG-09")

FILES = Facts(
    name="io.github.stacklok/files",
    key="files",
    version="1.0.0",
    title="Files",
    description="",
    kind="container",
    reference="ghcr.io/example/files:1.0.0",
    transport="stdio",
    tier="Official",
    status=Status.ACTIVE,
    category="storage",
    category_derived=False,
    tags=("Files", "disk"),
    tools=(),
    stars=None,
    pulls=None,
    custom={},
)

PASSES: list[dict[str, Any]] = [
    {},
    {"include": {}},
    {"exclude": {}},
    {"include": {"names": ["io.github.stacklok/files"]}},
    {"include": {"names": ["files"]}},  # the ToolHive key is a name as well
    {"include": {"names": ["io.*"]}},  # "*" crosses "/"
    {"include": {"names": ["fil?s"]}},
    {"include": {"names": ["other", "*/files"]}},
    {"include": {"tags": ["FILES"]}},
    {"include": {"tags": ["absent", "disk"]}},
    {"include": {"tiers": ["official"]}},
    {"include": {"transports": ["sse", "stdio"]}},
    {"include": {"categories": ["Storage"]}},
    {"include": {"names": ["*"], "tags": ["disk"], "tiers": ["Official"], "transports": ["stdio"]}},
    {"exclude": {"names": ["other"], "tags": ["x"], "tiers": ["x"], "categories": ["x"]}},
    {"include": {"tags": ["disk"]}, "exclude": {"names": ["*/other"]}},
]

FAILS: list[dict[str, Any]] = [
    {"include": {"names": ["FILES"]}},  # names have capitals, so they compare exactly
    {"include": {"names": ["io.github.stacklok"]}},
    {"include": {"names": ["file"]}},
    {"include": {"names": [""]}},
    {"include": {"tags": ["dis"]}},
    {"include": {"tiers": ["Community"]}},
    {"include": {"transports": ["sse"]}},
    {"include": {"categories": ["search"]}},
    {"include": {"names": ["*"], "tags": ["absent"]}},  # every given list must match
    {"exclude": {"names": ["files"]}},
    {"exclude": {"tags": ["disk"]}},
    {"exclude": {"names": ["other"], "tiers": ["OFFICIAL"]}},  # any match excludes
    {"exclude": {"transports": ["stdio"]}},
    {"exclude": {"categories": ["storage"]}},
    {"include": {"names": ["files"]}, "exclude": {"names": ["files"]}},  # exclude has the last word
]


def passes(filter_: dict[str, Any]) -> bool:
    return compile_filter(msgspec.convert(filter_, Filter))(FILES)


@pytest.mark.parametrize("filter_", PASSES, ids=str)
def test_an_entry_that_a_filter_takes(filter_: dict[str, Any]) -> None:
    assert passes(filter_)


@pytest.mark.parametrize("filter_", FAILS, ids=str)
def test_an_entry_that_a_filter_keeps_out(filter_: dict[str, Any]) -> None:
    assert not passes(filter_)


def test_without_a_filter_everything_passes() -> None:
    assert compile_filter(None)(FILES)


@pytest.mark.parametrize("filter_", [{"includes": {}}, {"include": {"name": ["x"]}}])
def test_a_filter_with_an_unknown_field_is_refused(filter_: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(filter_, Filter)


@given(st.lists(st.sampled_from(["files", "fi*", "x", "*/files", "?"]), max_size=3))
def test_excluding_what_one_includes_takes_the_rest(names: list[str]) -> None:
    selection = Selection(names=tuple(names))
    included = compile_filter(Filter(include=selection))(FILES)
    excluded = compile_filter(Filter(exclude=selection))(FILES)
    assert (included, excluded) == ((True, True) if not names else (included, not included))
