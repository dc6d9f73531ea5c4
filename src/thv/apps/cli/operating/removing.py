"""Removes objects of an installation: those that a release does not have any more, or all of them.

In the flow: last step of an upgrade, and the one of an uninstall.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable

from thv.apps.cli.operating.applying import MANAGER, Failure, Outcome, Terms, Told
from thv.apps.cli.operating.kinds import (
    INSTALLED,
    PART_OF,
    REMOVABLE,
    Key,
    is_applied_by,
    key_of,
    title_of,
)
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import kind_of, labels_of, name_of, namespace_of, uid_of
from thv.stores.resources.base import ResourceStore


async def belonging(store: ResourceStore) -> AsyncIterator[JsonObject]:
    """Everything that an installation consists of and that may go, in the order in which it goes."""
    for kind in REMOVABLE:
        for obj in (await store.list(kind, selector=PART_OF)).items:
            if labels_of(obj).get("app.kubernetes.io/managed-by") != "Helm":
                yield obj


async def outdated(store: ResourceStore, wanted: Collection[Key]) -> list[JsonObject]:
    """What we applied once and do not want any more; what others applied beside us is theirs."""
    return [
        obj
        async for obj in belonging(store)
        if key_of(obj) not in wanted and is_applied_by(obj, MANAGER)
    ]


async def remove_each(
    store: ResourceStore, objects: Iterable[JsonObject], terms: Terms, told: Told, verb: str
) -> Outcome:
    """Removes them in their order."""
    outcome = Outcome()
    for obj in objects:
        try:
            if not terms.dry:
                await _remove(store, obj)
        except ThvError as error:
            if error.code is Code.STORE_UNAVAILABLE:
                raise
            outcome += Outcome(failures=(Failure(title_of(obj), error),))
        else:
            outcome += Outcome(objects=(obj,))
            told(obj, verb)
    return outcome


async def _remove(store: ResourceStore, obj: JsonObject) -> None:
    """It may be gone already."""
    kind = kind_of(obj, INSTALLED)
    try:
        await store.delete(kind, namespace_of(obj), name_of(obj), uid=uid_of(obj))
    except ThvError as error:
        if error.code is not Code.NOT_FOUND:
            raise
