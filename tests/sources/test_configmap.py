from __future__ import annotations

import gzip

import pytest

from tests.contracts.source.world import content_of
from thv.domain import registry as specs
from thv.domain.errors import Code, ThvError
from thv.sources.base import ConfigMapData, Document, Known, Unchanged
from thv.sources.configmap import ConfigMapSource

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("REG-02")]


class Namespace:
    """One ConfigMap that a test changes."""

    def __init__(self, **values: bytes) -> None:
        self.data = ConfigMapData({k.replace("_", "."): v for k, v in values.items()}, "41")

    async def read(self, name: str) -> ConfigMapData:
        if name != "corp-servers":
            raise ThvError(Code.SOURCE_NOT_FOUND, f'there is no ConfigMap "{name}"')
        return self.data


def source_of(namespace: Namespace, key: str = "registry.json", **limits: int) -> ConfigMapSource:
    spec = specs.ConfigMapSource(name="corp-servers", key=key)
    return ConfigMapSource(spec, namespace.read, namespace="team", **limits)


async def test_the_key_is_the_document_and_the_version_its_revision() -> None:
    fetched = await source_of(Namespace(registry_json=b"{}")).fetch(Known())
    assert isinstance(fetched, Document)
    assert fetched.known.revision == "41"
    assert not fetched.folder
    parts = [part async for part in fetched.parts]
    assert [(part.path, part.size) for part in parts] == [("registry.json", 2)]


async def test_a_packed_key_is_unpacked() -> None:
    namespace = Namespace(registry_json_gz=gzip.compress(b'{"servers": {}}'))
    fetched = await source_of(namespace, "registry.json.gz").fetch(Known())
    assert isinstance(fetched, Document)
    assert await content_of(fetched) == b'{"servers": {}}'


async def test_a_change_elsewhere_in_the_configmap_is_no_new_content() -> None:
    namespace = Namespace(registry_json=b"{}")
    source = source_of(namespace)
    known = (await source.fetch(Known())).known  # type: ignore[union-attr]
    namespace.data = ConfigMapData({**namespace.data.values, "other": b"x"}, "42")
    fetched = await source.fetch(known)
    assert isinstance(fetched, Unchanged)
    assert fetched.known.revision == "42"


async def test_a_missing_key_names_those_that_exist() -> None:
    namespace = Namespace(registry_yaml=b"", servers_json=b"")
    with pytest.raises(ThvError) as caught:
        await source_of(namespace).fetch(Known())
    assert caught.value.code is Code.PATH_NOT_FOUND
    assert caught.value.message == (
        'the ConfigMap "corp-servers" has no key "registry.json"; '
        'its keys: "registry.yaml", "servers.json"'
    )


async def test_an_empty_configmap_has_no_keys_to_name() -> None:
    with pytest.raises(ThvError, match="its keys: none"):
        await source_of(Namespace()).fetch(Known())


async def test_equal_names_in_two_namespaces_are_two_origins() -> None:
    spec = specs.ConfigMapSource(name="corp-servers")
    one, two = (
        ConfigMapSource(spec, Namespace().read, namespace=name) for name in ("team-a", "team-b")
    )
    assert one.origin != two.origin


async def test_a_bomb_is_refused_while_it_is_read() -> None:
    namespace = Namespace(x_gz=gzip.compress(bytes(10_000_000)))
    fetched = await source_of(namespace, "x.gz", most_bytes=1_000_000).fetch(Known())
    assert isinstance(fetched, Document)
    with pytest.raises(ThvError) as caught:
        await content_of(fetched)
    assert caught.value.code is Code.SIZE_LIMIT_EXCEEDED
