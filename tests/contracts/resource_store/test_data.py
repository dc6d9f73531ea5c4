"""ConfigMaps and Secrets."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.contracts.resource_store.objects import a_config_map, a_secret, refused
from thv.domain.errors import Code
from thv.domain.resources import CONFIG_MAP, SECRET
from thv.stores.resources.base import ResourceStore

pytestmark = pytest.mark.anyio

MEBIBYTE = 1024 * 1024


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_config_map_keeps_text_and_bytes(store: ResourceStore, namespace: str) -> None:
    created = await store.create(
        a_config_map(namespace, data={"a.json": "{}"}, binaryData={"b.gz": _b64("x")}),
        manager="test",
    )
    assert created["data"] == {"a.json": "{}"}
    assert created["binaryData"] == {"b.gz": _b64("x")}
    assert "generation" not in created["metadata"]


async def test_key_without_a_value_holds_the_empty_text(
    store: ResourceStore, namespace: str
) -> None:
    created = await store.create(
        a_config_map(namespace, data={"a": None, "b": "1"}), manager="test"
    )
    assert created["data"] == {"a": "", "b": "1"}
    merged = await store.merge(
        CONFIG_MAP, namespace, "servers", {"data": {"b": None}}, manager="test"
    )
    assert merged["data"] == {"a": ""}
    secret = await store.create(
        a_secret(namespace, data={"a": None}, stringData={"b": None}), manager="test"
    )
    assert secret["data"] == {"a": "", "b": ""}


async def test_config_map_may_hold_one_mebibyte(store: ResourceStore, namespace: str) -> None:
    half = "x" * (MEBIBYTE // 2)
    await store.create(
        a_config_map(namespace, data={"a": half}, binaryData={"b": _b64(half)}), manager="test"
    )
    with refused(Code.INVALID, "1048576"):
        await store.create(
            a_config_map(namespace, "more", data={"a": half, "b": half + "x"}), manager="test"
        )


@pytest.mark.parametrize("key", ["a/b", "a b", "", "..", "x" * 254])
async def test_keys_are_checked(store: ResourceStore, namespace: str, key: str) -> None:
    with refused(Code.INVALID, "data["):
        await store.create(a_config_map(namespace, data={key: "x"}), manager="test")


async def test_a_key_is_in_one_of_data_and_binary_data(
    store: ResourceStore, namespace: str
) -> None:
    with refused(Code.INVALID, "data[a]"):
        await store.create(
            a_config_map(namespace, data={"a": "x"}, binaryData={"a": _b64("x")}), manager="test"
        )


async def test_bytes_must_be_base64(store: ResourceStore, namespace: str) -> None:
    with refused(Code.INVALID):
        await store.create(a_config_map(namespace, binaryData={"a": "%%%"}), manager="test")


async def test_immutable_config_map_cannot_be_changed(store: ResourceStore, namespace: str) -> None:
    await store.create(a_config_map(namespace, data={"a": "1"}, immutable=True), manager="test")
    with refused(Code.INVALID, "data"):
        await store.replace(
            a_config_map(namespace, data={"a": "2"}, immutable=True), manager="test"
        )
    with refused(Code.INVALID, "immutable"):
        await store.replace(a_config_map(namespace, data={"a": "1"}), manager="test")
    patch = {"metadata": {"labels": {"x": "y"}}}
    merged = await store.merge(CONFIG_MAP, namespace, "servers", patch, manager="test")
    assert merged["metadata"]["labels"] == {"x": "y"}
    await store.delete(CONFIG_MAP, namespace, "servers")


async def test_an_object_too_large_is_refused(store: ResourceStore, namespace: str) -> None:
    quoted = "\x01" * (MEBIBYTE // 2)  # six bytes each in JSON
    with refused(Code.SIZE_LIMIT_EXCEEDED):
        await store.create(a_config_map(namespace, data={"a": quoted}), manager="test")


# ---------------------------------------------------------------- Secrets


async def test_secret_is_read_back(store: ResourceStore, namespace: str) -> None:
    created = await store.create(
        a_secret(namespace, data={"token": _b64("hunter2")}), manager="test"
    )
    assert created["type"] == "Opaque"
    assert await store.get(SECRET, namespace, "token") == created
    assert (await store.list(SECRET, namespace)).items == [created]


async def test_string_data_becomes_data(store: ResourceStore, namespace: str) -> None:
    created = await store.create(
        a_secret(namespace, data={"a": _b64("1"), "b": _b64("2")}, stringData={"b": "x", "c": "y"}),
        manager="test",
    )
    assert created["data"] == {"a": _b64("1"), "b": _b64("x"), "c": _b64("y")}
    assert "stringData" not in created


async def test_secret_is_replaced_and_merged(store: ResourceStore, namespace: str) -> None:
    await store.create(a_secret(namespace, data={"a": _b64("1"), "b": _b64("2")}), manager="test")
    patched = await store.merge(
        SECRET, namespace, "token", {"stringData": {"a": "new"}}, manager="test"
    )
    assert patched["data"] == {"a": _b64("new"), "b": _b64("2")}
    replaced = await store.replace(a_secret(namespace, data={"c": _b64("3")}), manager="test")
    assert replaced["data"] == {"c": _b64("3")}
    assert (await store.get(SECRET, namespace, "token"))["data"] == {"c": _b64("3")}


async def test_secret_is_applied_by_key(store: ResourceStore, namespace: str) -> None:
    await store.apply(a_secret(namespace, data={"a": _b64("1")}), manager="one")
    await store.apply(a_secret(namespace, data={"b": _b64("2")}), manager="two")
    applied = await store.apply(a_secret(namespace), manager="one")
    assert applied["data"] == {"b": _b64("2")}


async def test_secret_without_data_is_allowed(store: ResourceStore, namespace: str) -> None:
    created = await store.create(a_secret(namespace), manager="test")
    assert "data" not in created
    filled = await store.merge(
        SECRET, namespace, "token", {"stringData": {"a": "1"}}, manager="test"
    )
    assert filled["data"] == {"a": _b64("1")}
    emptied = await store.merge(SECRET, namespace, "token", {"data": None}, manager="test")
    assert "data" not in emptied


async def test_type_of_a_secret_is_immutable(store: ResourceStore, namespace: str) -> None:
    await store.create(a_secret(namespace), manager="test")
    with refused(Code.INVALID, "type"):
        await store.replace(a_secret(namespace, type="example.com/other"), manager="test")


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("kubernetes.io/basic-auth", "data"),
        ("kubernetes.io/ssh-auth", "data[ssh-privatekey]"),
        ("kubernetes.io/tls", "data[tls.crt]"),
        ("kubernetes.io/dockerconfigjson", "data[.dockerconfigjson]"),
    ],
)
async def test_well_known_types_need_their_keys(
    store: ResourceStore, namespace: str, kind: str, field: str
) -> None:
    with refused(Code.INVALID, field):
        await store.create(a_secret(namespace, type=kind), manager="test")


@pytest.mark.parametrize(
    "fields",
    [
        {"data": {"token": "hunter2!"}},
        {"data": {"bad key": _b64("hunter2!")}},
        {"data": {"token": 5}},
        {"data": "hunter2!"},
        {"stringData": {"bad key": "hunter2!"}},
        {"stringData": {"token": ["hunter2!"]}},
    ],
)
async def test_no_message_shows_a_secret_value(
    store: ResourceStore, namespace: str, fields: dict[str, Any]
) -> None:
    with refused(Code.INVALID) as error:
        await store.create(a_secret(namespace, **fields), manager="test")
    assert "hunter2" not in error.value.message
    assert _b64("hunter2!") not in error.value.message
