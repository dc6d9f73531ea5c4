"""The policies in Python, on the store of one machine."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.admission.cases import CASES, WARNED, Case, caller_named, registry_of
from tests.domain.rule_cases import a_registry
from thv.domain.access import OWNER, Action, Caller, Grant, Right
from thv.domain.admission import POLICIES, Policy, Write, refusals
from thv.domain.errors import Code, ThvError
from thv.domain.resources import MCP_REGISTRY
from thv.stores.resources.memory import MemoryStore

pytestmark = pytest.mark.requirement("OPS-01")

NAMESPACE = "team"
_OF: dict[str, list[Policy]] = {}
for _policy in POLICIES:
    _OF.setdefault(_policy.id, []).append(_policy)


async def done(case: Case) -> None:
    """Does what the case says; raises what the store says."""
    owner = MemoryStore()
    store = owner.acting_as(caller_named(case.caller, NAMESPACE))
    before = registry_of(case, case.before, NAMESPACE, "case")
    after = registry_of(case, case.after, NAMESPACE, "case")
    after["metadata"] |= case.metadata
    if case.deed == "create":
        await store.create(after, manager="test")
        return
    await owner.create(before, manager="test")
    if case.deed == "change":
        await store.replace(after, manager="test")
    elif case.deed == "delete":
        await store.delete(MCP_REGISTRY, NAMESPACE, "case")
    else:
        await store.apply_status({**before, "status": {"phase": "Ready"}}, manager="test")


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.policy != "P7"], ids=lambda case: case.name
)
def test_a_write_is_judged(case: Case) -> None:
    if not case.refused:
        anyio.run(done, case)
        return
    with pytest.raises(ThvError) as error:
        anyio.run(done, case)
    assert error.value.code is Code.FORBIDDEN
    assert error.value.details["policy"] == case.policy
    assert any(check.message in error.value.message for p in _OF[case.policy] for check in p.checks)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.policy == "P7"], ids=lambda case: case.name
)
def test_a_file_is_no_source_of_a_cluster(case: Case) -> None:
    write = Write(
        operation="CREATE" if case.deed == "create" else "UPDATE",
        resource="mcpregistries",
        namespace=NAMESPACE,
        object=registry_of(case, case.after, NAMESPACE, "case"),
        old=None if case.deed == "create" else registry_of(case, {}, NAMESPACE, "case"),
        caller=OWNER,
    )
    assert bool(list(refusals(write, _OF["P7"]))) is case.refused


@pytest.mark.parametrize("given", WARNED, ids=str)
def test_credentials_in_headers_are_warned_of(given: Any) -> None:
    obj = a_registry(given.source)
    obj["spec"]["source"][given.source]["headers"] = given.headers
    write = Write(
        operation="CREATE", resource="mcpregistries", namespace="team", object=obj, caller=OWNER
    )
    assert bool(list(refusals(write, _OF["P11"]))) is given.warned


def test_a_file_is_a_source_of_one_machine() -> None:
    async def create() -> None:
        await MemoryStore().create(a_registry("file"), manager="test")

    anyio.run(create)


def test_every_policy_refuses_and_admits_something() -> None:
    for verdict in (True, False):
        assert {case.policy for case in CASES if case.refused is verdict} == _OF.keys() - {"P11"}


def test_whoever_runs_a_machine_may_do_everything() -> None:
    assert OWNER.may(Action(verb="delete", resource="mcpregistries", namespace="any"))
    assert OWNER.operator


def test_rights_end_at_their_namespace_names_and_groups() -> None:
    right = Right(verbs=("get",), resources=("secrets",), groups=("",), names=("one",))
    caller = Caller(name="x", grants=(Grant(rights=(right,), namespace="team"),))
    asked = Action(verb="get", resource="secrets", group="", namespace="team", name="one")
    assert caller.may(asked)
    for other in (
        Action(verb="list", resource="secrets", group="", namespace="team", name="one"),
        Action(verb="get", resource="secrets", group="", namespace="other", name="one"),
        Action(verb="get", resource="secrets", group="", namespace="team", name="two"),
        Action(verb="get", resource="secrets", group="apps", namespace="team", name="one"),
        Action(verb="get", resource="secrets", group="", namespace="team"),
    ):
        assert not caller.may(other)
