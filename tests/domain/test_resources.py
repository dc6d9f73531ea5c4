from __future__ import annotations

import pytest

from thv.domain.errors import Code, ThvError
from thv.domain.resources import (
    CONFIG_MAP,
    KINDS,
    MCP_REGISTRY,
    SECRET,
    annotation,
    annotations_of,
    find_kind,
    kind_named,
    kind_of,
    label,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)


def _object(**metadata: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


@pytest.mark.parametrize(
    "word",
    [
        "mcpregistries",
        "mcpregistry",
        "MCPRegistry",
        "mcpreg",
        "mcpregistries.toolhive.stacklok.io",
        "mcpregistry.toolhive.stacklok.io",
        "mcpregistries.v1alpha1.toolhive.stacklok.io",
    ],
)
def test_a_registry_has_many_names(word: str) -> None:
    assert kind_named(word) == MCP_REGISTRY


@pytest.mark.parametrize(
    ("word", "kind"), [("cm", CONFIG_MAP), ("secrets", SECRET), ("Secret", SECRET)]
)
def test_core_kinds_are_named_without_a_group(word: str, kind: object) -> None:
    assert kind_named(word) == kind


@pytest.mark.parametrize("word", ["", "registry", "mcpregistries.toolhive.stacklok.dev", "pods"])
def test_other_words_name_no_kind(word: str) -> None:
    assert kind_named(word) is None


def test_no_word_names_two_kinds() -> None:
    words = [word for kind in KINDS for word in kind.words]
    assert len(words) == len(set(words))


def test_kind_is_found_by_what_an_object_says() -> None:
    assert find_kind("toolhive.stacklok.io/v1alpha1", "MCPRegistry") == MCP_REGISTRY
    assert find_kind("v1", "ConfigMap") == CONFIG_MAP
    assert find_kind("toolhive.stacklok.dev/v1alpha1", "MCPRegistry") is None


def test_kind_spells_itself() -> None:
    assert MCP_REGISTRY.api_version == "toolhive.stacklok.io/v1alpha1"
    assert CONFIG_MAP.api_version == "v1"
    assert MCP_REGISTRY.resource == "mcpregistries.toolhive.stacklok.io"
    assert MCP_REGISTRY.subject("corp") == 'mcpregistry "corp"'


@pytest.mark.parametrize(
    "obj", [{}, {"kind": "Pod", "apiVersion": "v1"}, {"kind": 5, "apiVersion": None}]
)
def test_object_of_no_known_kind_is_refused_with_the_known_ones(obj: dict[str, object]) -> None:
    with pytest.raises(ThvError) as error:
        kind_of(obj)
    assert error.value.code is Code.INVALID
    assert "MCPRegistry (toolhive.stacklok.io/v1alpha1)" in error.value.hint


def test_metadata_is_read_tolerantly() -> None:
    full = _object(name="a", namespace="b", uid="c", labels={"x": "y", "n": 1}, annotations=None)
    assert (name_of(full), namespace_of(full), uid_of(full)) == ("a", "b", "c")
    assert labels_of(full) == {"x": "y"}
    assert annotations_of(full) == {}
    assert (name_of({}), namespace_of({"metadata": None}), uid_of(_object(uid=7))) == ("", "", "")


def test_our_prefix_wins_over_the_old_one() -> None:
    ours, old = "toolhive.stacklok.io/tier", "toolhive.stacklok.dev/tier"
    assert label(_object(labels={ours: "a", old: "b"}), "tier") == "a"
    assert label(_object(labels={old: "b"}), "tier") == "b"
    assert label(_object(labels={"tier": "c"}), "tier") is None
    assert annotation(_object(annotations={ours: "", old: "b"}), "tier") == ""
    assert annotation(_object(annotations={old: "b"}), "tier") == "b"
