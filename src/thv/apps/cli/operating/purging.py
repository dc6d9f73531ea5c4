"""Removes what outlives an uninstall: kinds with every object of theirs, what the operator made, the namespace.

In the flow: behind `thv operator uninstall --purge`, once the operator itself is gone and makes nothing anew.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from thv.apps.cli.exits import CommandError, Exit
from thv.apps.cli.operating.applying import Outcome, Terms, Told
from thv.apps.cli.operating.found import definition
from thv.apps.cli.operating.kinds import NAMESPACE, PART_OF
from thv.apps.cli.operating.removing import remove_each
from thv.apps.cli.operating.waiting import until_gone
from thv.apps.cli.output import took
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import CONFIG_MAP, POD
from thv.domain.roles import OPERATOR
from thv.stores.resources.base import ResourceStore
from thv.sync.serving.keeper import OWNED_KINDS

Look = Callable[[ResourceStore], AsyncGenerator[JsonObject, None]]
_MADE = "app.kubernetes.io/managed-by=toolhive-registry"
"""Selects what the operator made."""


async def purge(store: ResourceStore, terms: Terms, told: Told, seconds: float) -> Outcome:
    """Everything that is left, in an order in which nothing comes back."""
    outcome = Outcome()
    if not terms.dry:
        await _without(store, _pods, "pods of the operator are", seconds)
    for look, what in _STAGES:
        rest = [obj async for obj in look(store)]
        outcome += await remove_each(store, rest, terms, told, "deleted")
        if not terms.dry and not outcome.failures:
            await _without(store, look, what, seconds)
    return outcome


async def _without(store: ResourceStore, look: Look, what: str, seconds: float) -> None:
    """Raises with PENDING when some of it is still there when the time is up."""
    if not await until_gone(lambda: look(store), seconds):
        raise CommandError(
            Code.SOURCE_TIMEOUT,
            f"{what} still there after {took(seconds)}",
            cause="something ends slowly, or is held by a finalizer",
            tries=["kubectl get all,mcpreg -A -l app.kubernetes.io/part-of=toolhive-registry"],
            exit_code=Exit.PENDING,
        )


async def _spaces(store: ResourceStore) -> AsyncGenerator[JsonObject, None]:
    for obj in (await store.list(NAMESPACE, selector=PART_OF)).items:
        yield obj


async def _pods(store: ResourceStore) -> AsyncGenerator[JsonObject, None]:
    selector = f"app.kubernetes.io/name={OPERATOR}"
    for obj in (await store.list(POD, selector=selector, partial=True)).items:
        yield obj


async def _definition(store: ResourceStore) -> AsyncGenerator[JsonObject, None]:
    """The API server removes every object of a kind with it."""
    found = await definition(store)
    if found is not None:
        yield found


async def _made(store: ResourceStore) -> AsyncGenerator[JsonObject, None]:
    """What belongs to a registry goes with it by itself; shared pods belong to none."""
    for kind in (*reversed(OWNED_KINDS), CONFIG_MAP):
        for obj in (await store.list(kind, selector=_MADE, partial=True)).items:
            yield obj


_STAGES: tuple[tuple[Look, str], ...] = (
    (_definition, "the kind MCPRegistry is"),
    (_made, "what the operator made is"),
    (_spaces, "the namespace of the operator is"),
)
"""What goes one after the other; each is gone before the next one goes."""
