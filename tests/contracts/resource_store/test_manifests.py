"""The manifests of the documents are accepted as they are printed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.contracts.resource_store.objects import version
from thv.domain.canonical import JsonObject
from thv.domain.registry import load_registry
from thv.stores.resources.base import ResourceStore

MANIFESTS = Path(__file__).parents[3] / "examples" / "spec"

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("REG-01", "REG-13")]


def _manifest(name: str, namespace: str) -> JsonObject:
    """The manifest, with nothing changed but its namespace."""
    obj: JsonObject = yaml.safe_load((MANIFESTS / f"{name}.yaml").read_text())
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


@pytest.mark.parametrize("name", sorted(path.stem for path in MANIFESTS.glob("*.yaml")))
async def test_manifest_is_accepted(store: ResourceStore, namespace: str, name: str) -> None:
    manifest = _manifest(name, namespace)
    created = await store.create(manifest, manager="test", dry_run=True)
    applied = await store.apply(manifest, manager="gitops")
    assert applied["spec"] == created["spec"]
    assert _said(manifest["spec"]) <= _said(applied["spec"])
    assert "status" not in applied
    assert load_registry(applied).name == manifest["metadata"]["name"]


@pytest.mark.parametrize("name", sorted(path.stem for path in MANIFESTS.glob("*.yaml")))
async def test_manifest_applied_again_changes_nothing(
    store: ResourceStore, namespace: str, name: str
) -> None:
    first = await store.apply(_manifest(name, namespace), manager="gitops")
    again = await store.apply(_manifest(name, namespace), manager="gitops")
    assert version(again) == version(first)


async def test_second_catalog_replaces_the_first(store: ResourceStore, namespace: str) -> None:
    await store.apply(_manifest("catalog-enhanced", namespace), manager="gitops")
    applied = await store.apply(_manifest("catalog-simple", namespace), manager="gitops")
    assert applied["spec"]["source"] == {
        "type": "url",
        "url": {"url": "https://catalog.company.com/approved-servers.json"},
    }
    assert not {"validationPolicy", "promotionCriteria", "format"} & applied["spec"].keys()


def _said(value: object, path: str = "") -> set[tuple[str, object]]:
    """Every scalar of a value with its path."""
    if isinstance(value, dict):
        return {pair for key, item in value.items() for pair in _said(item, f"{path}.{key}")}
    if isinstance(value, list):
        return {
            pair for index, item in enumerate(value) for pair in _said(item, f"{path}[{index}]")
        }
    return {(path, value)}
