"""Schema and rules on a real API server: the same verdicts as those of the store of one machine.

Both are asked about every case; they must name the same fields, and the message of a rule word for word.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.admission.cluster import REGISTRIES, Said, dry_run
from tests.contracts.cluster import CRDS, a_client, install_kinds
from tests.control_plane.plane import ControlPlane
from tests.domain.rule_cases import CASES, Case
from tests.domain.server_rule_cases import SERVER_CASES, ServerCase
from tests.domain.shape_cases import SHAPES, Shape
from thv.clients.kube.client import KubeClient
from thv.domain.canonical import JsonObject
from thv.domain.errors import InvalidError
from thv.domain.mcpserver import SERVER_RULES
from thv.domain.rules import RULES, Rule
from thv.domain.toolconfig import TOOL_CONFIG_RULES
from thv.stores.resources.memory import MemoryStore

pytestmark = [pytest.mark.requirement("REG-01"), pytest.mark.anyio]

OPTIONAL = CRDS.parent / "optional"


@pytest.fixture(scope="module")
async def client(control_plane: ControlPlane, anyio_backend: str) -> AsyncIterator[KubeClient]:
    install_kinds(control_plane)
    opened = a_client(control_plane)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def optional_kinds(control_plane: ControlPlane, client: KubeClient) -> AsyncIterator[None]:
    """MCPServer and MCPToolConfig, as long as these tests run."""
    _kubectl(control_plane, "apply", "--server-side", "-f", str(OPTIONAL))
    control_plane.await_kinds("-f", str(OPTIONAL))
    yield
    _kubectl(control_plane, "delete", "--wait=false", "-f", str(OPTIONAL))


def _kubectl(plane: ControlPlane, *arguments: str | Path) -> None:
    done = plane.kubectl(*map(str, arguments))
    assert done.returncode == 0, done.stderr


def fields_of(said: Said) -> set[str]:
    """The fields that are named; the remark that rules were left out for other errors names none."""
    return {cause["field"] for cause in said.causes if cause["field"] != "<nil>"}


class Here(msgspec.Struct, frozen=True):
    """What the store of one machine answers."""

    refused: dict[str, str]
    """Message by field."""
    spec: JsonObject | None = None
    """With its defaults, when nothing is refused."""


async def asked_here(obj: JsonObject) -> Here:
    try:
        made = await MemoryStore().create(obj, manager="test", dry_run=True)
    except InvalidError as error:
        causes = error.details["causes"]
        return Here({cause["field"]: cause["message"] for cause in causes})
    return Here({}, made["spec"])


def _equal(said: Said, here: Here, *, passes: bool) -> None:
    """Both give the same verdict, name the same fields, and write the same defaults."""
    assert (not said.refused, not here.refused) == (passes, passes), said.message
    assert fields_of(said) == here.refused.keys()
    assert (said.object or {}).get("spec") == here.spec


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
async def test_a_rule_judges_as_on_one_machine(case: Case, client: KubeClient) -> None:
    said = await dry_run(client, REGISTRIES.format("default"), case.registry())
    _equal(said, await asked_here(case.registry()), passes=case.passes)
    if not case.passes:
        assert _rule_told(RULES, case.rule, said) is not None, said.message


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.title)
async def test_a_value_is_judged_as_on_one_machine(shape: Shape, client: KubeClient) -> None:
    said = await dry_run(client, REGISTRIES.format("default"), shape.registry())
    here = await asked_here(shape.registry())
    _equal(said, here, passes=shape.passes)
    if shape.says:
        assert shape.says in said.message
        assert any(shape.says in message for message in here.refused.values())


@pytest.mark.usefixtures("optional_kinds")
@pytest.mark.parametrize("case", SERVER_CASES, ids=lambda case: case.title)
async def test_a_rule_of_servers_judges(case: ServerCase, client: KubeClient) -> None:
    plural = f"{case.kind.lower()}s"
    path = REGISTRIES.format("default").replace("mcpregistries", plural)
    said = await dry_run(client, path, case.object())
    assert said.refused is not case.passes, said.message
    if not case.passes:
        assert _rule_told((*SERVER_RULES, *TOOL_CONFIG_RULES), case.rule, said), said.message


def _rule_told(rules: tuple[Rule, ...], id_: str, said: Said) -> Any:
    return next((rule for rule in rules if rule.id == id_ and rule.message in said.message), None)
