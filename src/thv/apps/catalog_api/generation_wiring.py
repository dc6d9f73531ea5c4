"""What writes registries on one machine, with everything it needs.

In the flow: a process that serves the catalog adds these rows to it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from thv.apps.catalog_api.adoption import Adoptions, adoption_rows
from thv.apps.catalog_api.generation import Generations
from thv.apps.catalog_api.generation_rows import generation_rows
from thv.apps.catalog_api.generation_writers import Acting, OfMachine
from thv.apps.catalog_api.left_out import LeftOuts, left_out_rows
from thv.apps.catalog_api.manifest_rows import manifest_rows
from thv.apps.catalog_api.manifests import Manifests
from thv.apps.catalog_api.previews import Inside, OpenReading, Previews, preview_rows
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.endpoints import Endpoint

Address = Callable[[str, str], str]
"""Where the API of a registry is, of namespace and name."""


def on_machine(
    store: Acting,
    authorization: Authorization | None,
    *,
    address: Address,
    clock: Callable[[], datetime],
    read_only: bool = False,
    by_owner: bool = False,
    open_reading: OpenReading | None = None,
) -> tuple[Endpoint, ...]:
    """The rows of one machine, where callers have the roles of its access file.

    `by_owner`: whom `authorization` knows owns the process; `open_reading` reads sources for whoever tries them, None
    where nobody may.
    """
    writers = OfMachine(store, by_owner=by_owner)
    generations = Generations(
        authorization, writers, address=address, clock=clock, read_only=read_only
    )
    manifests = Manifests(authorization, writers, address=address, read_only=read_only)
    left_outs = LeftOuts(authorization)
    tried = (
        preview_rows(Previews(authorization, writers, Inside(writers, open_reading)))
        if open_reading
        else ()
    )
    return (
        *tried,
        *generation_rows(generations),
        *manifest_rows(manifests),
        *left_out_rows(left_outs),
        *adoption_rows(Adoptions(authorization, writers, read_only=read_only)),
    )
