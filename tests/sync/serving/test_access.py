"""The subjects of the binding that lets API pods ask about tokens."""

from __future__ import annotations

from tests.builders import registry
from thv.domain.canonical import JsonObject
from thv.sync.serving.access import Account, accounts_of, changed_subjects
from thv.sync.serving.settings import ApiSettings
from thv.sync.serving.sweep import accounts_for

GROUP = {"kind": "Group", "name": "admins"}


def subject(namespace: str, name: str) -> JsonObject:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def test_accounts_come_and_go_and_everybody_else_stays() -> None:
    binding = {"subjects": [GROUP, subject("a", "corp-api"), subject("b", "corp-api")]}
    subjects = changed_subjects(binding, [Account("c", "x-api")], [Account("a", "corp-api")])
    assert subjects == [GROUP, subject("b", "corp-api"), subject("c", "x-api")]


def test_nothing_changes_where_nothing_has_to() -> None:
    binding = {"subjects": [subject("a", "corp-api")]}
    assert changed_subjects(binding, [Account("a", "corp-api")], []) == binding["subjects"]
    assert changed_subjects({}, [], [Account("a", "corp-api")]) == []


def test_what_is_wanted_wins_over_what_is_not() -> None:
    account = Account("a", "corp-api")
    assert accounts_of({"subjects": changed_subjects({}, [account], [account])}) == {account}


def test_each_registry_is_served_by_its_own_account_or_the_shared_one() -> None:
    registries = [
        registry("one", "team"),
        registry("two", "team", api={"mode": "shared"}),
        registry("off", "team", api={"enabled": False}),
    ]
    assert accounts_for(registries, ApiSettings(image="")) == {
        Account("team", "one-api"),
        Account("team", "registry-api-shared"),
    }
