"""What a store refuses, drops and fills in, whichever verb brings it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.resource_store.objects import (
    SOURCE,
    a_config_map,
    a_part,
    a_registry,
    refused,
)
from thv.domain.errors import Code, InvalidError
from thv.domain.resources import MCP_REGISTRY
from thv.stores.resources.base import ResourceStore

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("REG-01")]


async def test_unknown_field_is_refused_by_name(store: ResourceStore, namespace: str) -> None:
    sent = a_registry(namespace, source={**SOURCE, "format": "toolhive"})
    with refused(Code.INVALID, 'unknown field "spec.source.format"'):
        await store.create(sent, manager="test")


async def test_unknown_field_is_dropped_when_not_strict(
    store: ResourceStore, namespace: str
) -> None:
    sent = a_registry(namespace, source={**SOURCE, "format": "toolhive"}, bogus=1)
    created = await store.create(sent, manager="test", strict=False)
    assert created["spec"]["source"] == SOURCE
    assert "bogus" not in created["spec"]


async def test_unknown_field_is_refused_by_replace_apply_and_merge(
    store: ResourceStore, namespace: str
) -> None:
    await store.create(a_registry(namespace), manager="test")
    with refused(Code.INVALID, "spec.bogus"):
        await store.replace(a_registry(namespace, bogus=1), manager="test")
    with refused(Code.INVALID, "spec.bogus"):
        await store.apply(a_part(namespace, bogus=1), manager="test")
    with refused(Code.INVALID, "spec.bogus"):
        await store.merge(MCP_REGISTRY, namespace, "corp", {"spec": {"bogus": 1}}, manager="test")


async def test_null_stands_for_absence_in_a_created_object(
    store: ResourceStore, namespace: str
) -> None:
    created = await store.create(
        a_registry(namespace, displayName=None, trustLevel=None), manager="test"
    )
    assert "displayName" not in created["spec"]
    assert created["spec"]["trustLevel"] == "raw"


_REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a value outside an enumeration": (
        {"source": {"type": "grpc"}},
        "spec.source.type",
        '"configmap", "url", "git"',
    ),
    "a missing field": (
        {"source": {"type": "git", "git": {}}},
        "spec.source.git.repository",
        "Required value",
    ),
    "a wrong type": ({"enforceTools": "yes"}, "spec.enforceTools", "boolean"),
    "a number too large": ({"api": {"replicas": 9}}, "spec.api.replicas", "9"),
    "a text too long": ({"displayName": "x" * 129}, "spec.displayName", "128"),
    "a text too short": (
        {
            "validationPolicy": {
                "scan": {
                    "ignoredFindings": [
                        {"id": "a", "reason": "short", "expiresAt": "2027-01-01T00:00:00Z"}
                    ]
                }
            }
        },
        "spec.validationPolicy.scan.ignoredFindings[0].reason",
        "10",
    ),
    "a text of another form": (
        {"syncPolicy": {"interval": "1d"}},
        "spec.syncPolicy.interval",
        "1d",
    ),
    "no time": (
        {
            "validationPolicy": {
                "scan": {
                    "ignoredFindings": [
                        {"id": "a", "reason": "long enough", "expiresAt": "tomorrow"}
                    ]
                }
            }
        },
        "spec.validationPolicy.scan.ignoredFindings[0].expiresAt",
        "tomorrow",
    ),
    "a list too long": (
        {"filter": {"include": {"tags": [str(i) for i in range(101)]}}},
        "spec.filter.include.tags",
        "100",
    ),
    "a repeated item of a set": (
        {"filter": {"include": {"names": ["a", "a"]}}},
        "spec.filter.include.names[1]",
        "Duplicate",
    ),
    "a repeated key of a map": (
        {"validationPolicy": {"review": {"teams": [{"name": "a"}, {"name": "a"}]}}},
        "spec.validationPolicy.review.teams[1]",
        "Duplicate",
    ),
    "a quantity that is none": (
        {"api": {"resources": {"limits": {"memory": "much"}}}},
        "spec.api.resources.limits.memory",
        "much",
    ),
    "a broken rule": (
        {"source": {"type": "git"}},
        "spec.source.git",
        'spec.source.git is required when spec.source.type is "git"',
    ),
}


@pytest.mark.parametrize("what", _REFUSED)
async def test_create_refuses(store: ResourceStore, namespace: str, what: str) -> None:
    spec, field, part = _REFUSED[what]
    with refused(Code.INVALID, field, part) as error:
        await store.create(a_registry(namespace, **spec), manager="test")
    assert isinstance(error.value, InvalidError)
    assert field in {cause["field"] for cause in error.value.details["causes"]}


async def test_all_errors_are_named_at_once(store: ResourceStore, namespace: str) -> None:
    sent = a_registry(namespace, displayName="x" * 129, api={"replicas": 9}, enforceTools="yes")
    with refused(Code.INVALID, "spec.displayName", "spec.api.replicas", "spec.enforceTools"):
        await store.create(sent, manager="test")


@pytest.mark.parametrize("name", ["Corp", "corp_eu", "-corp", "corp.", "a" * 254, "corp/eu"])
async def test_name_must_be_a_dns_name(store: ResourceStore, namespace: str, name: str) -> None:
    with refused(Code.INVALID, "name"):
        await store.create(a_config_map(namespace, name), manager="test")


async def test_name_is_required(store: ResourceStore, namespace: str) -> None:
    sent = a_config_map(namespace)
    del sent["metadata"]["name"]
    with refused(Code.INVALID, "metadata.name", "name or generateName is required"):
        await store.create(sent, manager="test")


_METADATA: dict[str, tuple[dict[str, Any], str]] = {
    "a label key with a space": ({"labels": {"a b": "c"}}, "metadata.labels"),
    "a label value with a space": ({"labels": {"a": "b c"}}, "metadata.labels"),
    "a label value too long": ({"labels": {"a": "b" * 64}}, "metadata.labels"),
    "an annotation key with two slashes": ({"annotations": {"a/b/c": "d"}}, "metadata.annotations"),
    "annotations too large": ({"annotations": {"a": "x" * (256 * 1024)}}, "metadata.annotations"),
    "a finalizer with a space": ({"finalizers": ["a b"]}, "metadata.finalizers"),
    "an owner without uid": (
        {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": ""}]},
        "metadata.ownerReferences",
    ),
    "two controllers": (
        {
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": n, "uid": n, "controller": True}
                for n in ("x", "y")
            ]
        },
        "metadata.ownerReferences",
    ),
}


@pytest.mark.parametrize("what", _METADATA)
async def test_metadata_is_checked(store: ResourceStore, namespace: str, what: str) -> None:
    metadata, field = _METADATA[what]
    with refused(Code.INVALID, field):
        await store.create(a_config_map(namespace, metadata=metadata), manager="test")


async def test_kind_that_does_not_exist_is_refused(store: ResourceStore, namespace: str) -> None:
    with refused(Code.INVALID, "MCPRegistry"):
        await store.create(
            {**a_registry(namespace), "apiVersion": "toolhive.stacklok.dev/v1alpha1"},
            manager="test",
        )


async def test_a_refused_change_changes_nothing(store: ResourceStore, namespace: str) -> None:
    created = await store.create(a_registry(namespace), manager="test")
    with refused(Code.INVALID):
        await store.replace(a_registry(namespace, api={"replicas": 9}), manager="test")
    assert await store.get(MCP_REGISTRY, namespace, "corp") == created


async def test_type_of_the_source_can_be_changed(store: ResourceStore, namespace: str) -> None:
    await store.apply(a_registry(namespace), manager="gitops")
    git = {"type": "git", "git": {"repository": "https://git.example.com/mcp.git"}}
    applied = await store.apply(a_registry(namespace, source=git), manager="gitops")
    assert applied["spec"]["source"] == {
        "type": "git",
        "git": {
            "repository": "https://git.example.com/mcp.git",
            "branch": "main",
            "path": "registry.json",
        },
    }
