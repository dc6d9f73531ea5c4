"""Ports of shared pods."""

from __future__ import annotations

import pytest

from tests.builders import registry
from thv.domain.errors import Code, ThvError
from thv.sync.serving.network import SHARED_PORTS, service
from thv.sync.serving.ports import free_port, taken_ports
from thv.sync.serving.settings import ApiSettings

SETTINGS = ApiSettings(image="ghcr.io/example/registry:1.0.0")


def test_a_thousand_registries_get_a_thousand_ports() -> None:
    taken: dict[str, int] = {}
    for number in range(1000):
        taken[f"r{number}"] = free_port("team", f"r{number}", taken.values())
    assert len(set(taken.values())) == 1000
    assert set(taken.values()) <= set(SHARED_PORTS)


def test_a_registry_that_comes_back_gets_the_port_it_had() -> None:
    assert free_port("team", "corp", ()) == free_port("team", "corp", (20000, 29999))


def test_registries_of_one_name_in_two_namespaces_are_likely_to_differ() -> None:
    assert free_port("team", "corp", ()) != free_port("other", "corp", ())


def test_the_last_port_is_found_and_none_after_it() -> None:
    last = SHARED_PORTS[4711]
    assert free_port("team", "corp", set(SHARED_PORTS) - {last}) == last
    with pytest.raises(ThvError) as refused:
        free_port("team", "corp", SHARED_PORTS)
    assert refused.value.code is Code.STORE_FULL
    assert 'namespace "team" has no free port' in refused.value.message


def test_the_services_that_are_there_tell_the_ports() -> None:
    services = [
        service(registry("b"), SETTINGS, 20001),
        service(registry("a"), SETTINGS, 20001),
        service(registry("c"), SETTINGS, 20002),
        service(registry("d"), SETTINGS, None),
    ]
    assert taken_ports(services) == {"a": 20001, "c": 20002}
