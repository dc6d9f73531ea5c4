"""A store within somebody's rights: what an API server would refuse is refused here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.builders import manifest
from thv.domain.access import Caller, Grant
from thv.domain.errors import Code, ThvError
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY
from thv.domain.roles import ADMIN_ROLE, CATALOG_USER_ROLE, USER_ROLE, Role
from thv.stores.resources.memory import MemoryStore
from thv.stores.resources.permitted import PermittedStore

pytestmark = pytest.mark.anyio

CORP = manifest("corp", "team")
Act = Callable[[PermittedStore], Awaitable[object]]
ACTS: dict[str, Act] = {
    "get": lambda store: store.get(MCP_REGISTRY, "team", "there"),
    "list": lambda store: store.list(MCP_REGISTRY, "team"),
    "list everywhere": lambda store: store.list(MCP_REGISTRY),
    "create": lambda store: store.create(CORP, manager="test"),
    "replace": lambda store: store.replace(manifest("there", "team"), manager="test"),
    "apply": lambda store: store.apply(manifest("there", "team"), manager="test", force=True),
    "merge": lambda store: store.merge(MCP_REGISTRY, "team", "there", {}, manager="test"),
    "status": lambda store: store.apply_status(manifest("there", "team"), manager="test"),
    "delete": lambda store: store.delete(MCP_REGISTRY, "team", "there"),
    "a ConfigMap": lambda store: store.list(CONFIG_MAP, "team"),
}
USER = {"get", "list"}
MAKER = USER | {"create", "replace", "a ConfigMap"}
ADMIN = MAKER | {"apply", "merge", "delete"}


@pytest.mark.parametrize(
    ("role", "allowed"), [(USER_ROLE, USER), (CATALOG_USER_ROLE, MAKER), (ADMIN_ROLE, ADMIN)]
)
async def test_each_verb_needs_its_right(role: Role, allowed: set[str]) -> None:
    for name, act in ACTS.items():
        inner = MemoryStore()
        await inner.create(manifest("there", "team"), manager="test")
        caller = Caller(name="ada", grants=(Grant(rights=role.rights, namespace="team"),))
        if name in allowed:
            await act(PermittedStore(inner, caller))
            continue
        with pytest.raises(ThvError, match="ada may not ") as caught:
            await act(PermittedStore(inner, caller))
        assert caught.value.code is Code.FORBIDDEN


async def test_the_refusal_names_the_right() -> None:
    store = PermittedStore(MemoryStore(), Caller(name="ada"))
    with pytest.raises(ThvError) as caught:
        await store.create(CORP, manager="test")
    assert caught.value.message == (
        'ada may not create mcpregistries.toolhive.stacklok.io in the namespace "team"'
    )
    assert caught.value.hint == "Ask for the right: create mcpregistries."
    with pytest.raises(ThvError, match="watch"):
        await anext(store.watch(MCP_REGISTRY, since="0"))
