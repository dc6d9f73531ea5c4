"""The policies in CEL, on a real API server, with real roles."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml

from tests.admission.cases import CASES, WARNED, Case, registry_of
from tests.admission.cluster import Court, Said, a_registry_in, ask, court, in_effect
from tests.control_plane.plane import ControlPlane
from thv.domain.admission import POLICIES

pytestmark = [pytest.mark.requirement("OPS-01", "REG-01"), pytest.mark.anyio]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def place(control_plane: ControlPlane, anyio_backend: str) -> AsyncIterator[Court]:
    with court(control_plane) as opened:
        await in_effect(opened)
        yield opened
        for client in opened.clients.values():
            await client.close()


async def done(case: Case, place: Court) -> Said:
    """What the API server answers to what the case says."""
    name = f"case-{next(_numbers)}"
    client = place.clients[case.caller]
    after = registry_of(case, case.after, place.namespace, name)
    after["metadata"] |= case.metadata
    if case.deed == "create":
        return await ask(client, "POST", place.registries, after)
    owner = place.clients["cluster admin"]
    before = registry_of(case, case.before, place.namespace, name)
    made = await ask(owner, "POST", place.registries, before)
    assert made.object is not None, made.message
    path = f"{place.registries}/{name}"
    if case.deed == "change":
        after["metadata"]["resourceVersion"] = made.object["metadata"]["resourceVersion"]
        return await ask(client, "PUT", path, after)
    if case.deed == "delete":
        return await ask(client, "DELETE", path, None)
    return await ask(client, "PATCH", f"{path}/status", {"status": {"phase": "Ready"}})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_write_is_judged(case: Case, place: Court) -> None:
    said = await done(case, place)
    assert said.refused is case.refused, said.message
    if case.refused:
        (messages,) = _messages(case.policy, said)
        assert "ValidatingAdmissionPolicy" in said.message
        assert said.status == (422 if case.policy == "P7" else 403)
        assert messages


def _messages(policy: str, said: Said) -> list[str]:
    """The sentences of the policy that were said, each once."""
    known = {check.message for p in POLICIES if p.id == policy for check in p.checks}
    return [message for message in known if message in said.message]


@pytest.mark.parametrize("given", WARNED, ids=str)
def test_credentials_in_headers_are_warned_of(given: Any, place: Court) -> None:
    obj = a_registry_in(place, given.source)
    obj["spec"]["source"][given.source]["headers"] = given.headers
    said = place.plane.kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(obj))
    assert said.returncode == 0, said.stderr
    sentence = "put credentials into authSecret or headersSecret, not into headers"
    assert (sentence in said.stderr) is given.warned
    assert given.warned == said.stderr.startswith("Warning: ")
