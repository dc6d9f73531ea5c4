"""Server-side apply: who owns what, and what follows from it."""

from __future__ import annotations

import pytest

from tests.contracts.resource_store.objects import (
    SOURCE,
    a_config_map,
    a_part,
    a_registry,
    a_status,
    fields_by_manager,
    refused,
    version,
)
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import MCP_REGISTRY
from thv.stores.resources.base import ResourceStore

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("REG-13")]


async def test_apply_creates_what_is_missing_and_owns_what_it_says(
    store: ResourceStore, namespace: str
) -> None:
    applied = await store.apply(a_registry(namespace, displayName="Corp"), manager="one")
    assert applied["metadata"]["generation"] == 1
    assert applied["spec"]["trustLevel"] == "raw"
    source: JsonObject = {"f:type": {}, "f:url": {"f:url": {}}}
    assert fields_by_manager(applied) == {
        "one Apply": {"f:spec": {"f:displayName": {}, "f:source": source}}
    }


CHARACTERS = '\x01\x1b\x7f\x80\x85\x9f\xa0 \u200b\u2028\u2029\ufeff\ufffd\ufffe\uffff 😀\U0010ffff \t\n\r " \\ / <<: *a &b'
"""Some are written as they are in JSON and may not be in YAML, which an API server takes an apply for."""


async def test_a_text_of_any_characters_is_kept_as_it_is(
    store: ResourceStore, namespace: str
) -> None:
    sent = a_registry(namespace, description=CHARACTERS)
    assert (await store.apply(sent, manager="one"))["spec"]["description"] == CHARACTERS
    status = {"lastHandledSyncRequest": CHARACTERS}
    told = await store.apply_status(a_status(namespace, **status), manager="one")
    assert told["status"] == status


async def test_apply_again_changes_nothing(store: ResourceStore, namespace: str) -> None:
    first = await store.apply(a_registry(namespace, displayName="Corp"), manager="one")
    assert await store.apply(a_registry(namespace, displayName="Corp"), manager="one") == first


async def test_apply_removes_what_its_manager_no_longer_says(
    store: ResourceStore, namespace: str
) -> None:
    await store.apply(a_registry(namespace, displayName="Corp", description="All"), manager="one")
    applied = await store.apply(a_registry(namespace, displayName="Corp"), manager="one")
    assert "description" not in applied["spec"]
    assert applied["metadata"]["generation"] == 2


async def test_apply_brings_the_default_back_for_what_is_no_longer_said(
    store: ResourceStore, namespace: str
) -> None:
    await store.apply(a_registry(namespace, api={"replicas": 3}), manager="one")
    applied = await store.apply(a_registry(namespace), manager="one")
    assert applied["spec"]["api"] == {"enabled": True, "replicas": 1, "anonymousRead": False}


async def test_apply_keeps_what_another_manager_says_too(
    store: ResourceStore, namespace: str
) -> None:
    await store.apply(a_registry(namespace, displayName="Corp"), manager="one")
    await store.apply(a_registry(namespace, displayName="Corp"), manager="two")
    applied = await store.apply(a_registry(namespace), manager="one")
    assert applied["spec"]["displayName"] == "Corp"
    assert "f:displayName" not in fields_by_manager(applied)["one Apply"]["f:spec"]
    assert "f:displayName" in fields_by_manager(applied)["two Apply"]["f:spec"]


async def test_apply_of_another_managers_value_is_a_conflict_that_names_both(
    store: ResourceStore, namespace: str
) -> None:
    await store.apply(a_registry(namespace, displayName="Corp"), manager="one")
    with refused(Code.CONFLICT, ".spec.displayName", '"one"') as error:
        await store.apply(a_registry(namespace, displayName="Other"), manager="two")
    assert error.value.details == {
        "conflicts": [{"manager": '"one"', "field": ".spec.displayName"}]
    }


async def test_apply_against_an_update_is_a_conflict_too(
    store: ResourceStore, namespace: str
) -> None:
    await store.create(a_registry(namespace, displayName="Corp"), manager="editor")
    with refused(Code.CONFLICT, ".spec.displayName", '"editor"'):
        await store.apply(a_registry(namespace, displayName="Other"), manager="gitops")


async def test_every_conflict_is_named(store: ResourceStore, namespace: str) -> None:
    await store.apply(
        a_registry(namespace, displayName="Corp", metadata={"labels": {"a": "1"}}), manager="one"
    )
    await store.apply(a_part(namespace, displayName="Corp"), manager="two")
    with refused(Code.CONFLICT) as error:
        await store.apply(
            a_registry(namespace, displayName="Other", metadata={"labels": {"a": "2"}}),
            manager="three",
        )
    named = error.value.details["conflicts"]
    assert sorted(named, key=lambda conflict: (conflict["manager"], conflict["field"])) == [
        {"manager": '"one"', "field": ".metadata.labels.a"},
        {"manager": '"one"', "field": ".spec.displayName"},
        {"manager": '"two"', "field": ".spec.displayName"},
    ]


async def test_forced_apply_takes_the_field_over(store: ResourceStore, namespace: str) -> None:
    await store.apply(a_registry(namespace, displayName="Corp"), manager="one")
    applied = await store.apply(a_part(namespace, displayName="Other"), manager="two", force=True)
    assert applied["spec"]["displayName"] == "Other"
    assert "f:displayName" not in fields_by_manager(applied)["one Apply"]["f:spec"]
    assert fields_by_manager(applied)["two Apply"] == {"f:spec": {"f:displayName": {}}}


async def test_apply_of_the_same_value_shares_the_field(
    store: ResourceStore, namespace: str
) -> None:
    first = await store.apply(a_registry(namespace), manager="one")
    second = await store.apply(a_part(namespace, source=SOURCE), manager="two")
    assert fields_by_manager(second)["two Apply"] == fields_by_manager(second)["one Apply"]
    assert second["metadata"]["generation"] == 1
    assert version(second) != version(first)


async def test_parts_of_one_object_can_have_different_owners(
    store: ResourceStore, namespace: str
) -> None:
    await store.apply(a_registry(namespace), manager="one")
    applied = await store.apply(a_part(namespace, syncPolicy={"interval": "2h"}), manager="two")
    assert applied["spec"]["source"] == SOURCE
    assert applied["spec"]["syncPolicy"]["interval"] == "2h"
    assert applied["spec"]["syncPolicy"]["timeout"] == "30s"


async def test_a_field_that_a_default_filled_belongs_to_nobody(
    store: ResourceStore, namespace: str
) -> None:
    await store.apply(a_registry(namespace), manager="one")
    applied = await store.apply(a_part(namespace, syncPolicy={"interval": "2h"}), manager="two")
    assert fields_by_manager(applied)["two Apply"] == {
        "f:spec": {"f:syncPolicy": {"f:interval": {}}}
    }


async def test_items_of_a_set_have_owners_of_their_own(
    store: ResourceStore, namespace: str
) -> None:
    await store.apply(
        a_registry(namespace, filter={"include": {"names": ["a", "b"]}}), manager="one"
    )
    await store.apply(a_part(namespace, filter={"include": {"names": ["b", "c"]}}), manager="two")
    applied = await store.apply(a_registry(namespace), manager="one")
    assert applied["spec"]["filter"] == {"include": {"names": ["b", "c"]}}


async def test_items_of_a_map_merge_by_their_key(store: ResourceStore, namespace: str) -> None:
    one = {"review": {"teams": [{"name": "security", "min": 2}, {"name": "platform"}]}}
    two = {
        "review": {"teams": [{"name": "security", "categories": ["database"]}, {"name": "legal"}]}
    }
    await store.apply(a_registry(namespace, validationPolicy=one), manager="one")
    applied = await store.apply(a_part(namespace, validationPolicy=two), manager="two", force=True)
    assert {
        team["name"]: team for team in applied["spec"]["validationPolicy"]["review"]["teams"]
    } == {
        "security": {"name": "security", "min": 2, "categories": ["database"]},
        "platform": {"name": "platform", "min": 1},
        "legal": {"name": "legal", "min": 1},
    }


async def test_an_atomic_list_has_one_owner(store: ResourceStore, namespace: str) -> None:
    policy = {"review": {"reminders": ["72h", "24h"]}}
    await store.apply(a_registry(namespace, validationPolicy=policy), manager="one")
    other = {"review": {"reminders": ["72h"]}}
    with refused(Code.CONFLICT, ".spec.validationPolicy.review.reminders"):
        await store.apply(a_part(namespace, validationPolicy=other), manager="two")


async def test_labels_and_data_have_owners_by_key(store: ResourceStore, namespace: str) -> None:
    await store.apply(
        a_config_map(namespace, data={"a": "1"}, metadata={"labels": {"x": "1"}}), manager="one"
    )
    await store.apply(
        a_config_map(namespace, data={"b": "1"}, metadata={"labels": {"y": "1"}}), manager="two"
    )
    applied = await store.apply(a_config_map(namespace), manager="one")
    assert applied["data"] == {"b": "1"}
    assert applied["metadata"]["labels"] == {"y": "1"}


async def test_update_of_an_applied_field_takes_it_over(
    store: ResourceStore, namespace: str
) -> None:
    await store.apply(a_config_map(namespace, data={"a": "1", "b": "1"}), manager="gitops")
    edited = await store.replace(
        a_config_map(namespace, data={"a": "2", "b": "1"}), manager="editor"
    )
    assert fields_by_manager(edited) == {
        "gitops Apply": {"f:data": {"f:b": {}}},
        "editor Update": {"f:data": {"f:a": {}}},
    }


async def test_who_owns_nothing_any_more_is_forgotten(store: ResourceStore, namespace: str) -> None:
    await store.apply(a_config_map(namespace, data={"a": "1"}), manager="one")
    applied = await store.apply(a_config_map(namespace, data={"a": "2"}), manager="two", force=True)
    assert list(fields_by_manager(applied)) == ["two Apply"]


async def test_apply_at_a_stale_version_is_a_conflict(store: ResourceStore, namespace: str) -> None:
    first = await store.apply(a_registry(namespace), manager="one")
    await store.apply(a_registry(namespace, displayName="Corp"), manager="one")
    stale = a_registry(namespace, displayName="Other", metadata={"resourceVersion": version(first)})
    with refused(Code.CONFLICT):
        await store.apply(stale, manager="one")


async def test_apply_of_a_uid_does_not_create(store: ResourceStore, namespace: str) -> None:
    with refused(Code.CONFLICT):
        await store.apply(a_registry(namespace, metadata={"uid": "gone"}), manager="one")


async def test_apply_never_touches_status(store: ResourceStore, namespace: str) -> None:
    await store.apply({**a_registry(namespace), "status": {"phase": "Ready"}}, manager="one")
    live = await store.get(MCP_REGISTRY, namespace, "corp")
    assert "status" not in live
    assert "f:status" not in fields_by_manager(live)["one Apply"]


async def test_apply_of_managed_fields_is_refused(store: ResourceStore, namespace: str) -> None:
    live = await store.apply(a_registry(namespace), manager="one")
    with refused(Code.INVALID, "metadata.managedFields"):
        await store.apply(live, manager="one")


async def test_an_empty_object_in_place_of_a_filled_one_is_refused(
    store: ResourceStore, namespace: str
) -> None:
    await store.apply(a_registry(namespace, filter={"include": {"names": ["a"]}}), manager="one")
    with refused(Code.INVALID, "spec.filter"):
        await store.apply(a_registry(namespace, filter={}), manager="one")


async def test_dry_run_of_an_apply_writes_nothing(store: ResourceStore, namespace: str) -> None:
    first = await store.apply(a_registry(namespace), manager="one")
    planned = await store.apply(
        a_registry(namespace, displayName="Corp"), manager="one", dry_run=True
    )
    assert planned["spec"]["displayName"] == "Corp"
    assert await store.get(MCP_REGISTRY, namespace, "corp") == first
