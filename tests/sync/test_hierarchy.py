"""Registries that read other registries of their namespace."""

from __future__ import annotations

import asyncio

import pytest

from tests.builders import registry
from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry
from thv.sync.hierarchy import neighbour_of, require_no_cycle


def reading(name: str, other: str) -> Registry:
    return registry(name, source={"type": "registry", "registry": {"registryRef": {"name": other}}})


class Namespace:
    """Registries by name, and who asked for which."""

    def __init__(self, **reads: str) -> None:
        self.asked: list[str] = []
        self._registries = {name: reading(name, other) for name, other in reads.items()}

    async def find(self, name: str) -> Registry | None:
        self.asked.append(name)
        return self._registries.get(name)

    def check(self, name: str) -> None:
        asyncio.run(require_no_cycle(self._registries[name], self.find))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://corp-api:8080/api/v1/servers", "corp"),
        ("http://corp-api.default.svc.cluster.local/x", "corp"),
        ("http://corp-api.other/x", ""),
        ("https://example.com", ""),
    ],
)
def test_the_address_of_a_service_of_the_namespace_names_a_registry(url: str, name: str) -> None:
    source = {"type": "registry", "registry": {"url": url}}
    assert neighbour_of(registry("a", source=source)) == name


@pytest.mark.parametrize(
    "reads", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "a"}]
)
def test_a_registry_that_reads_itself_is_refused_with_the_way_round(reads: dict[str, str]) -> None:
    with pytest.raises(ThvError) as caught:
        Namespace(**reads).check("a")
    assert caught.value.code is Code.REGISTRY_CYCLE
    assert f"{' -> '.join(reads)} -> a" in caught.value.message


@pytest.mark.parametrize(
    "reads", [{"a": "b"}, {"a": "b", "b": "c"}, {"a": "b", "b": "c", "c": "b"}]
)
def test_circles_of_others_and_ends_are_nobodys_trouble(reads: dict[str, str]) -> None:
    Namespace(**reads).check("a")


def test_a_row_without_end_is_not_followed_for_ever() -> None:
    namespace = Namespace(**{f"r{number}": f"r{number + 1}" for number in range(1000)})
    namespace.check("r0")
    assert len(namespace.asked) < 40
