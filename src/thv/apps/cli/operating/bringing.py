"""The way from what a cluster has to what is wanted: kinds, the rest, what is outdated, and the wait for the operator.

In the flow: behind `thv operator install` and `thv operator upgrade`, which differ in what they take for granted.
"""

from __future__ import annotations

import msgspec

from thv.apps.cli.operating.applying import (
    Outcome,
    Terms,
    Told,
    apply_each,
    is_owned_by_others,
    require_all,
    said,
)
from thv.apps.cli.operating.found import definition
from thv.apps.cli.operating.judging import require_stored_versions
from thv.apps.cli.operating.kinds import key_of, title_of
from thv.apps.cli.operating.removing import outdated, remove_each
from thv.apps.cli.operating.waiting import await_kinds, await_operator
from thv.apps.cli.output import print_value
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import LINES, without_managed_fields
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import DEPLOYMENT
from thv.domain.roles import OPERATOR
from thv.formats.install import Installation, kinds, render
from thv.stores.resources.base import ResourceStore

_DRY = " (server dry run)"
_ENDING = "because it is being terminated"
"""Of what cannot be made in a namespace that ends."""


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a command is to do it."""

    terms: Terms = Terms()
    with_kinds: bool = True
    prunes: bool = False
    waits: bool = True
    seconds: float = 300.0


async def bring(
    session: Session, store: ResourceStore, wanted: Installation, manner: Manner
) -> None:
    """Makes the cluster so; raises for what could not be applied, and when the operator is not ready in time."""
    told = teller(session, dry=manner.terms.dry)
    definitions = kinds() if manner.with_kinds else []
    live = await definition(store)
    require_stored_versions(definitions, [live] if live else [])
    outcome = await _applied_kinds(store, definitions, manner, told)
    outcome += await apply_each(store, render(wanted), manner.terms, told)
    if manner.prunes and not outcome.failures:
        outcome += await _pruned(store, wanted, manner, told)
    print_objects(session, outcome)
    show_failures(session, outcome)
    require_all(outcome, "applied", _tries(session, outcome))
    if manner.waits and not manner.terms.dry:
        session.console.step("wait", "waiting until the operator is ready")
        deployment = await store.get(DEPLOYMENT, wanted.namespace, OPERATOR)
        await await_operator(session, store, deployment, manner.seconds)


async def _applied_kinds(
    store: ResourceStore, definitions: list[JsonObject], manner: Manner, told: Told
) -> Outcome:
    outcome = await apply_each(store, definitions, manner.terms, told)
    if not outcome.failures and not manner.terms.dry:
        await await_kinds(store, definitions, manner.seconds)
    return outcome


async def _pruned(
    store: ResourceStore, wanted: Installation, manner: Manner, told: Told
) -> Outcome:
    rest = await outdated(store, {key_of(obj) for obj in render(wanted)})
    return await remove_each(store, rest, manner.terms, told, "pruned")


def _tries(session: Session, outcome: Outcome) -> list[str]:
    if is_owned_by_others(outcome):
        return [
            f"{session.common.again('--force-conflicts')}   (takes the fields over)",
            "or change it with whoever applied it: kubectl, a GitOps controller",
        ]
    if any(_ENDING in failure.error.message for failure in outcome.failures):
        return [f"{session.common.again()}   (once the namespace is gone)"]
    if any(failure.error.code is Code.FORBIDDEN for failure in outcome.failures):
        return [f"{session.program} auth whoami   (it takes an administrator of the cluster)"]
    return [f"{session.common.again()}   (goes on where it ended)"]


# ---------------------------------------------------------------- what is told


def teller(session: Session, *, dry: bool) -> Told:
    """Prints a line an object, as it happens."""

    def line(obj: JsonObject, verb: str) -> None:
        if session.output == LINES:
            session.console.data(f"{title_of(obj)} {verb}{_DRY if dry else ''}\n")
        elif session.output == "name":
            session.console.data(f"{title_of(obj)}\n")

    return line


def print_objects(session: Session, outcome: Outcome) -> None:
    """As `-o json` and `-o yaml` show them."""
    if session.output in ("json", "yaml"):
        items = [without_managed_fields(obj) for obj in outcome.objects]
        body = {"apiVersion": "v1", "kind": "List", "items": items}
        print_value(body, session.output, session.console)


def show_failures(session: Session, outcome: Outcome) -> None:
    """A line an object that failed; with `-o json` they are in the error."""
    if session.output != "json":
        for failure in outcome.failures:
            session.console.step("fail", f"{failure.title}: {said(failure.error)}")
