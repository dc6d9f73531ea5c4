"""Applies the objects of an installation one by one, and tells what became of each.

In the flow: after the decision that they may be applied. An error of one leaves the others applied, as with kubectl;
one that concerns the cluster as a whole ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from thv.apps.cli.exits import CommandError, exit_of
from thv.apps.cli.operating.kinds import INSTALLED, key_of, title_of
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import kind_of, metadata_of, name_of, namespace_of
from thv.stores.resources.base import ResourceStore

MANAGER = "thv-operator"
"""Who owns the fields of an installation."""
_UNSTEADY = frozenset({"managedFields", "resourceVersion", "generation"})


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How objects are applied."""

    dry: bool = False
    force: bool = False


class Failure(msgspec.Struct, frozen=True):
    """An object that could not be applied or removed."""

    title: str
    error: ThvError


class Outcome(msgspec.Struct, frozen=True):
    """What became of several objects."""

    objects: tuple[JsonObject, ...] = ()
    """As they are now."""
    failures: tuple[Failure, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome((*self.objects, *other.objects), (*self.failures, *other.failures))


Told = Callable[[JsonObject, str], None]
"""Hears of an object and of what became of it."""


async def apply_each(
    store: ResourceStore, objects: Iterable[JsonObject], terms: Terms, told: Told
) -> Outcome:
    """Applies them in their order."""
    wanted = list(objects)
    spaces = {name for kind, _, name in map(key_of, wanted) if kind == "namespaces"}
    outcome = Outcome()
    for obj in wanted:
        try:
            now, verb = await _applied(store, obj, terms, spaces)
        except ThvError as error:
            if error.code is Code.STORE_UNAVAILABLE:
                raise
            outcome += Outcome(failures=(Failure(title_of(obj), error),))
        else:
            outcome += Outcome(objects=(now,))
            told(now, verb)
    return outcome


async def _applied(
    store: ResourceStore, obj: JsonObject, terms: Terms, spaces: set[str]
) -> tuple[JsonObject, str]:
    before = await _live(store, obj)
    try:
        now = await store.apply(obj, manager=MANAGER, force=terms.force, dry_run=terms.dry)
    except ThvError as error:
        # Nothing can be tried in a namespace that a dry run did not make.
        if terms.dry and error.code is Code.NOT_FOUND and namespace_of(obj) in spaces:
            return obj, "created"
        raise
    return now, _verb(before, now)


async def _live(store: ResourceStore, obj: JsonObject) -> JsonObject | None:
    try:
        return await store.get(kind_of(obj, INSTALLED), namespace_of(obj), name_of(obj))
    except ThvError as error:
        if error.code is Code.NOT_FOUND:
            return None
        raise


def _verb(before: JsonObject | None, now: JsonObject) -> str:
    if before is None:
        return "created"
    return "unchanged" if _content(before) == _content(now) else "configured"


def _content(obj: JsonObject) -> JsonObject:
    """What somebody may have wanted of it; who works with it changes the rest all the time."""
    metadata = {key: value for key, value in metadata_of(obj).items() if key not in _UNSTEADY}
    return {**{key: obj[key] for key in obj if key != "status"}, "metadata": metadata}


def require_all(outcome: Outcome, doing: str, tries: Sequence[str]) -> None:
    """Raises with how many objects failed, when some did; which ones was said already."""
    failures = outcome.failures
    if not failures:
        return
    count, total = len(failures), len(failures) + len(outcome.objects)
    raise CommandError(
        failures[0].error.code,
        f"{count} of {total} objects could not be {doing}; the others are",
        tries=tries,
        exit_code=exit_of(failures[0].error),
        details={"failed": [_told(failure) for failure in failures]},
    )


def _told(failure: Failure) -> JsonObject:
    error = failure.error
    return {"object": failure.title, "code": error.code.value, "message": said(error)}


def said(error: ThvError) -> str:
    """On one line; fields that others own in kubectl's words."""
    conflicts = error.details.get("conflicts") or ()
    if not conflicts:
        return error.message
    return "; ".join(f"conflict with {each['manager']}: {each['field']}" for each in conflicts)


def is_owned_by_others(outcome: Outcome) -> bool:
    """Whether some failed because other managers own fields."""
    return any(failure.error.details.get("conflicts") for failure in outcome.failures)
