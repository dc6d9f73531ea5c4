"""Waits until the cluster has done what was applied.

In the flow: after kinds, before the rest is applied; after everything, before a command says that it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from thv.apps.cli.exits import CommandError, Exit
from thv.apps.cli.operating.kinds import INSTALLED, title_of
from thv.apps.cli.operating.leading import is_led
from thv.apps.cli.output import took
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import (
    POD,
    kind_of,
    metadata_of,
    name_of,
    namespace_of,
    resource_version_of,
)
from thv.stores.resources.base import EventType, ResourceStore
from thv.sync.serving.health import health_of

LOOK_EVERY = 0.5
"""Seconds between two looks at what has no single object to watch."""


async def until(
    store: ResourceStore, obj: JsonObject, reached: Callable[[JsonObject], bool], seconds: float
) -> tuple[JsonObject, bool]:
    """The object once it is so; after that time as it was seen last, with False."""
    seen = obj
    try:
        async with asyncio.timeout(seconds), aclosing(_states(store, obj)) as states:
            async for seen in states:
                if reached(seen):
                    return seen, True
    except TimeoutError:
        pass
    return seen, False


async def _states(store: ResourceStore, obj: JsonObject) -> AsyncGenerator[JsonObject, None]:
    """The object as it is now, then with every change; a watch that is too old begins anew."""
    kind, namespace, name = kind_of(obj, INSTALLED), namespace_of(obj), name_of(obj)
    while True:
        now = await store.get(kind, namespace, name)
        yield now
        try:
            events = store.watch(kind, namespace, since=resource_version_of(now), name=name)
            async with aclosing(events):
                async for event in events:
                    if event.type in (EventType.ADDED, EventType.MODIFIED):
                        yield event.object
        except ThvError as error:
            if error.code is not Code.EXPIRED:
                raise


def is_established(definition: JsonObject) -> bool:
    """Whether objects of the kind can be written."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(
        each.get("type") == "Established" and each.get("status") == "True" for each in conditions
    )


def is_rolled_out(deployment: JsonObject) -> bool:
    """Whether all pods are of this spec, and available."""
    status, wanted = deployment.get("status") or {}, deployment["spec"]["replicas"]
    return bool(
        status.get("observedGeneration", 0) >= metadata_of(deployment).get("generation", 0)
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("availableReplicas", 0) >= wanted
        and status.get("replicas", 0) <= wanted
    )


async def await_kinds(store: ResourceStore, definitions: list[JsonObject], seconds: float) -> None:
    """Until every kind can be used; raises with PENDING when the time is up."""
    for each in definitions:
        seen, done = await until(store, each, is_established, seconds)
        if not done:
            raise CommandError(
                Code.SOURCE_TIMEOUT,
                f"{title_of(seen)} is not established after {took(seconds)}",
                cause=_trouble(seen),
                tries=[f"kubectl describe crd {name_of(seen)}"],
                exit_code=Exit.PENDING,
            )


def _trouble(definition: JsonObject) -> str:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    said = (str(each.get("message", "")) for each in conditions if each.get("status") == "False")
    return next(said, "")


async def await_operator(
    session: Session, store: ResourceStore, deployment: JsonObject, seconds: float
) -> None:
    """Until every pod is ready and one of them works; raises with PENDING and what keeps them when the time is up."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    seen, done = await until(store, deployment, is_rolled_out, seconds)
    namespace, name = namespace_of(seen), name_of(seen)
    clock = session.local.clock
    if done and await is_led(store, namespace, clock, max(0.0, end - loop.time())):
        return
    raise CommandError(
        Code.SOURCE_TIMEOUT,
        f"the operator is not ready after {took(seconds)}",
        cause="no process leads" if done else await trouble_of(store, seen),
        tries=[
            f"kubectl logs -n {namespace} deployment/{name}",
            f"{session.program} operator status",
        ],
        exit_code=Exit.PENDING,
    )


async def trouble_of(store: ResourceStore, deployment: JsonObject) -> str:
    """What keeps the pods of a Deployment from being ready, in a sentence."""
    selector = ",".join(
        f"{key}={value}"
        for key, value in sorted(deployment["spec"]["selector"]["matchLabels"].items())
    )
    pods = await store.list(POD, namespace_of(deployment), selector=selector, limit=20)
    return health_of(deployment, pods.items, was_ready=False, has_content=True).message


async def until_gone(look: Callable[[], AsyncGenerator[JsonObject, None]], seconds: float) -> bool:
    """Whether nothing is left of what is looked for, within that time."""
    try:
        async with asyncio.timeout(seconds):
            while await _any(look()):  # noqa: ASYNC110 # the cluster tells of no single end
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        return False
    return True


async def _any(found: AsyncGenerator[JsonObject, None]) -> bool:
    async with aclosing(found):
        async for _ in found:
            return True
    return False
