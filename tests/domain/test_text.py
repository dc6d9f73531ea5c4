from __future__ import annotations

import gc
import json
import re
import weakref
from collections.abc import Callable
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.real import real_data
from thv.domain.text import glob_matcher, label_value, object_name, official_name, toolhive_key

LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?", re.ASCII)
OBJECT = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)

KEPT = ["files", "Files_2.0", "x" * 63, "0"]

SLUGS = {
    "io.example/files": "io-example-files",
    "Filesystem Server": "filesystem-server",
    "a" * 64: "a" * 52,
    "a" * 51 + "--b" + "c" * 20: "a" * 51,
    "ünï": "n",
    "-": "x",
    "": "x",
}

OBJECTS = {
    "files": "files",
    "files.v2": "files-v2",
    "Files": "files-" + sha256(b"Files").hexdigest()[:8],
    "a_b": "a-b-" + sha256(b"a_b").hexdigest()[:8],
}

names = st.text(max_size=80) | st.from_regex(r"[a-zA-Z0-9./_-]{1,200}", fullmatch=True)


@pytest.mark.parametrize("text", KEPT)
def test_a_label_is_the_text_itself_where_it_may_be(text: str) -> None:
    assert label_value(text) == text


@pytest.mark.parametrize(("text", "slug"), SLUGS.items())
def test_a_label_is_else_a_slug_and_a_hash_of_the_text(text: str, slug: str) -> None:
    assert label_value(text) == f"{slug}-{sha256(text.encode()).hexdigest()[:8]}"


@given(names)
def test_a_label_value_is_always_valid(text: str) -> None:
    value = label_value(text)
    assert len(value) <= 63
    assert LABEL.fullmatch(value)


@given(names)
def test_an_object_name_is_always_a_dns_label(text: str) -> None:
    name = object_name(text)
    assert len(name) <= 63
    assert OBJECT.fullmatch(name)


@pytest.mark.parametrize(("text", "name"), OBJECTS.items())
def test_an_object_name_keeps_what_it_can(text: str, name: str) -> None:
    assert object_name(text) == name


@given(names, names)
def test_different_texts_have_different_labels(one: str, other: str) -> None:
    assert (label_value(one) == label_value(other)) == (one == other)


def test_names_that_differ_in_case_only_are_told_apart() -> None:
    assert object_name("io.example/Files") != object_name("io.example/files")
    assert label_value("io.example/Files") != label_value("io.example/files")


@pytest.mark.parametrize("make", [label_value, object_name])
def test_no_two_real_names_share_a_label_or_an_object(make: Callable[[str], str]) -> None:
    index = real_data() / "upstream-index-2026-06-12" / "latest-servers.ndjson"
    real = {json.loads(line)["name"] for line in index.read_text().splitlines()}
    assert len({make(name) for name in real}) == len(real) > 10_000


@given(st.from_regex(r"[a-z0-9./-]{1,30}", fullmatch=True))
def test_a_name_survives_the_spelling_of_toolhive(name: str) -> None:
    assert official_name(toolhive_key(name)) == name or "/" not in name
    assert "/" in official_name(name)


def test_a_key_of_toolhive_is_the_name_without_its_own_prefix() -> None:
    assert toolhive_key("io.github.stacklok/files") == "files"
    assert toolhive_key("io.example/files") == "io.example/files"
    assert official_name("files") == "io.github.stacklok/files"


def matches(pattern: str, text: str) -> bool:
    """A glob by its definition."""

    @cache
    def at(p: int, t: int) -> bool:
        if p == len(pattern):
            return t == len(text)
        if pattern[p] == "*":
            return any(at(p + 1, after) for after in range(t, len(text) + 1))
        return t < len(text) and pattern[p] in ("?", text[t]) and at(p + 1, t + 1)

    return at(0, 0)


@given(
    st.lists(st.text("ab/*?.", max_size=6), min_size=1, max_size=3),
    st.text("ab/.\n", max_size=8),
)
def test_globs_match_by_their_definition(patterns: list[str], text: str) -> None:
    matcher = glob_matcher(patterns)
    assert matcher is not None
    assert bool(matcher.fullmatch(text)) == any(matches(pattern, text) for pattern in patterns)


def test_a_pattern_of_many_stars_stays_linear() -> None:
    matcher = glob_matcher(["*a" * 100 + "b"])
    assert matcher is not None
    assert not matcher.fullmatch("a" * 5_000)


def test_without_patterns_there_is_nothing_to_match() -> None:
    assert glob_matcher([]) is None


def test_large_patterns_are_not_kept_once_nobody_uses_them() -> None:
    small, large = glob_matcher(["a*b"]), glob_matcher(["?" * 255 + str(n) for n in range(200)])
    assert small is not None
    assert large is not None
    gone = weakref.ref(large)
    del large
    gc.collect()
    assert gone() is None
    assert small.fullmatch("axb")
