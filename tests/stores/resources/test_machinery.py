"""Verbs as functions of values: what the contract of a store cannot show."""

from __future__ import annotations

import copy

import msgspec

from tests.contracts.resource_store.objects import a_config_map, a_registry, refused
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, FieldError
from thv.domain.resources import CONFIG_MAP, KINDS, MCP_REGISTRY
from thv.stores.resources.definitions import definition_of
from thv.stores.resources.machinery import (
    Request,
    apply,
    created,
    generated_name,
    merged,
    replaced,
)

NOW = Request(manager="test", now="2026-11-20T10:00:00Z")
LATER = Request(manager="test", now="2026-11-20T11:00:00Z")
REGISTRY = definition_of(MCP_REGISTRY)


def _stricter(obj: JsonObject) -> list[FieldError]:
    data = obj.get("data", {})
    return [
        FieldError(f"data[{key}]", f"{value} is forbidden now")
        for key, value in data.items()
        if value != "good"
    ]


def _live(obj: JsonObject) -> JsonObject:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": "7"}}


def test_every_kind_has_a_definition() -> None:
    assert [definition_of(kind).kind for kind in KINDS] == list(KINDS)


def test_what_was_allowed_once_does_not_hinder_other_changes() -> None:
    lenient = definition_of(CONFIG_MAP)
    strict = msgspec.structs.replace(lenient, check=_stricter)
    live = _live(created(lenient, a_config_map("team", data={"a": "old"}), NOW, uid="u"))
    labelled = merged(strict, live, {"metadata": {"labels": {"x": "y"}}}, LATER)
    assert labelled["metadata"]["labels"] == {"x": "y"}
    with refused(Code.INVALID, "data[b]: worse is forbidden now") as error:
        merged(strict, live, {"data": {"b": "worse"}}, LATER)
    assert "data[a]" not in error.value.message


def test_verbs_leave_what_they_are_given() -> None:
    sent = a_registry("team", filter={"include": {"names": ["a"]}})
    live = _live(apply(REGISTRY, None, sent, NOW, uid="u"))
    before = copy.deepcopy((sent, live))
    apply(REGISTRY, live, a_registry("team", displayName="x"), LATER, uid="")
    replaced(REGISTRY, live, a_registry("team", displayName="y"), LATER)
    merged(REGISTRY, live, {"spec": {"filter": None}}, LATER)
    assert (sent, live) == before


def test_a_verb_that_changes_nothing_gives_the_live_object_itself() -> None:
    live = _live(apply(REGISTRY, None, a_registry("team"), NOW, uid="u"))
    assert apply(REGISTRY, live, a_registry("team"), LATER, uid="") is live
    assert replaced(REGISTRY, live, live, LATER) is live
    assert merged(REGISTRY, live, {}, LATER) is live


def test_owners_are_stamped_when_something_changed() -> None:
    live = _live(apply(REGISTRY, None, a_registry("team"), NOW, uid="u"))
    changed = apply(REGISTRY, live, a_registry("team", displayName="x"), LATER, uid="")
    (entry,) = changed["metadata"]["managedFields"]
    assert entry["time"] == LATER.now
    other = msgspec.structs.replace(LATER, manager="other")
    shared = apply(REGISTRY, live, a_registry("team"), other, uid="")
    times = {entry["manager"]: entry.get("time") for entry in shared["metadata"]["managedFields"]}
    assert times == {"test": NOW.now, "other": None}


def test_apply_without_a_manager_is_refused() -> None:
    nobody = Request(manager="", now=NOW.now)
    with refused(Code.INVALID, "fieldManager"):
        apply(REGISTRY, None, a_registry("team"), nobody, uid="u")


def test_unknown_fields_and_broken_rules_are_named_together() -> None:
    sent = a_registry("team", bogus=1, source={"type": "git"}, syncPolicy={"interval": "1s"})
    with refused(Code.INVALID, "spec.bogus", "spec.source.git is required", "at least 1m") as error:
        created(REGISTRY, sent, NOW, uid="u")
    assert "nothing was changed" in error.value.hint


def test_a_rule_is_silent_where_the_schema_spoke() -> None:
    with refused(Code.INVALID) as error:
        created(REGISTRY, a_registry("team", syncPolicy={"interval": "1d"}), NOW, uid="u")
    assert error.value.message.count("spec.syncPolicy.interval:") == 1


def test_generated_names_stay_short_enough() -> None:
    assert generated_name("chunk-", "abcde") == "chunk-abcde"
    assert len(generated_name("x" * 200, "abcde")) == 63
