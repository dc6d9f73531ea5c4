"""What a registry owns on a cluster, by name."""

from __future__ import annotations

import pytest

from tests.builders import manifest
from thv.apps.dashboard.objects import command_of, owned_by
from thv.domain.canonical import JsonObject

ALONE = ["Deployment", "Service", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy"]


@pytest.mark.parametrize(
    ("api", "kinds"),
    [
        ({}, ALONE),
        ({"replicas": 2}, [*ALONE, "PodDisruptionBudget"]),
        ({"enabled": False}, []),
        ({"mode": "shared"}, ["Deployment", "Service"]),
    ],
)
def test_its_api_is_what_the_spec_says(api: JsonObject, kinds: list[str]) -> None:
    assert [each.kind for each in owned_by(manifest("corp", api=api), 0)] == kinds


def test_names_are_those_that_the_operator_gives() -> None:
    shared = owned_by(manifest("corp", api={"mode": "shared"}), 3)
    assert [(each.kind, each.name) for each in shared] == [
        ("ConfigMap", "3 chunks of it"),
        ("Deployment", "registry-api-shared"),
        ("Service", "corp-api"),
    ]


def test_one_command_shows_them() -> None:
    obj = manifest("corp", api={"enabled": False})
    assert command_of(obj, owned_by(obj, 1)) == (
        "kubectl -n default get configmap -l toolhive.stacklok.io/registry-name=corp"
    )
