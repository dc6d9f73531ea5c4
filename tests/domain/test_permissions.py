"""The table of permissions and the roles that hold its rows."""

from __future__ import annotations

import pytest

from thv.domain.access import Action
from thv.domain.permissions import EXPORT, LIST, PERMISSIONS, READ, SYNC, Permission, rights_of
from thv.domain.roles import ADMIN_ROLE, AUDITOR_ROLE, PEOPLE_ROLES, USER_ROLE, Role, role_for

pytestmark = pytest.mark.requirement("OPS-01")


@pytest.mark.parametrize("permission", PERMISSIONS, ids=str)
def test_somebody_holds_each(permission: Permission) -> None:
    action = permission.on("team", "corp")
    assert any(role.allows(action) for role in PEOPLE_ROLES)


@pytest.mark.parametrize("role", PEOPLE_ROLES, ids=lambda role: role.name)
def test_everybody_with_a_role_reads_registries(role: Role) -> None:
    for permission in (READ, LIST, EXPORT):
        assert role.allows(permission.on("team", "corp"))


def test_who_decides_does_not_watch_over_it_as_well() -> None:
    (audit,) = [each for each in PERMISSIONS if each.resource.endswith("/audit")]
    assert AUDITOR_ROLE.allows(audit.on("team", "corp"))
    assert not ADMIN_ROLE.allows(audit.on("team", "corp"))


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (READ.on("team", "corp"), "toolhive-registry-user"),
        (SYNC.on("team", "corp"), "toolhive-registry-deployer"),
        (Action(verb="create", resource="mcpregistries"), "toolhive-registry-admin"),
        (Action(verb="get", resource="mcpregistries/audit"), "toolhive-registry-auditor"),
        (Action(verb="get", resource="secrets", group=""), ""),
    ],
)
def test_the_least_role_that_gives_a_right(action: Action, name: str) -> None:
    role = role_for(action)
    assert (role.name if role else "") == name


def test_no_row_is_there_twice() -> None:
    said = [(each.verb, each.resource, each.group) for each in PERMISSIONS]
    assert len(set(said)) == len(said)


def test_only_reading_is_open_to_everybody() -> None:
    assert [each for each in PERMISSIONS if each.open] == [READ]


def test_rights_are_as_few_as_say_it() -> None:
    (same_verbs,) = rights_of(EXPORT, READ)
    assert same_verbs.verbs == ("get",)
    assert set(same_verbs.resources) == {"mcpregistries/export", "mcpregistries"}
    assert len(rights_of(READ, LIST, SYNC)) == 2


def test_a_question_names_the_registry_where_that_matters() -> None:
    assert (READ.on("team", "corp").name, LIST.on("team", "corp").name) == ("corp", "")
    assert not USER_ROLE.allows(SYNC.on("team", "corp"))
