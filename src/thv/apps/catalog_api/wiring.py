"""The catalog with everything it needs: the registries of a resource store, and the endpoints over all of them.

In the flow: a process that serves many registries calls `catalog`, runs what it gets, and mounts the application.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from thv.apps.catalog_api.catalog import Around, Catalog
from thv.apps.catalog_api.endpoints import ROWS
from thv.apps.catalog_api.export import EXPORT_ROWS
from thv.apps.catalog_api.generation_schemas import GENERATION_SHAPES
from thv.apps.catalog_api.joins import Joins
from thv.apps.catalog_api.manifest_schemas import MANIFEST_SHAPES
from thv.apps.catalog_api.offers import OFFER_ROWS
from thv.apps.catalog_api.schemas import SHAPES
from thv.apps.catalog_api.settings import Settings as CatalogSettings
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.server import Meter
from thv.apps.registry_api.door import Root
from thv.apps.registry_api.fleet import Fleet, ServedKinds, kept_here
from thv.apps.registry_api.follow import Follower, Updated
from thv.apps.registry_api.guard import Guard
from thv.apps.registry_api.settings import Settings
from thv.apps.registry_api.standing import Standing
from thv.apps.registry_api.wiring import Door, Watched, registries
from thv.domain.taxonomy import Taxonomy
from thv.stores.chunks.base import ChunkStore
from thv.stores.resources.base import ResourceStore


def catalog(
    resources: ResourceStore,
    chunks: ChunkStore,
    models: Path,
    *,
    taxonomy: Taxonomy,
    settings: Settings,
    clock: Callable[[], datetime],
    authorization: Authorization | None = None,
    owner: Authorization | None = None,
    watched: Watched = lambda authorize: authorize,
    meters: tuple[Meter, ...] = (),
    updated: Updated = lambda *_: None,
    told: CatalogSettings = CatalogSettings(),  # noqa: B008 # a frozen value
    generation: tuple[Endpoint, ...] = (),
    kinds: ServedKinds = kept_here,
) -> Door:
    """The door over all registries of these stores; arguments as `registries` has them.

    `generation` are the rows that write; `generation_wiring` makes them. The catalog's own read model lies beside the
    folder of the others, for as long as the process runs.
    """

    def root(follower: Follower, guard: Guard | None, fleet: Fleet) -> Root:
        standing = Standing(settings.registry_order)
        joins = Joins(follower, standing, models.parent / "catalog")
        follower.tell(joins.moved)
        around = Around(resources, chunks, clock, told, bool(authorization or owner), fleet)
        place = Catalog(follower, standing, joins, around, guard)
        rows = (*ROWS, *EXPORT_ROWS, *OFFER_ROWS, *generation)
        shapes = (*SHAPES, *GENERATION_SHAPES, *MANIFEST_SHAPES)
        return Root(place, rows, shapes, joins.run, lambda: joins.is_at_rest)

    return registries(
        resources,
        chunks,
        models,
        taxonomy=taxonomy,
        settings=settings,
        clock=clock,
        authorization=authorization,
        owner=owner,
        watched=watched,
        meters=meters,
        updated=updated,
        root=root,
        anonymous_read=told.anonymous_read,
        kinds=kinds,
    )
