"""The pages in front of a catalog, in this process: real read models, a real access file, no network."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, moment
from tests.apps.catalog_api.conftest import anyio_backend, site
from tests.apps.dashboard.browsing import Browser
from tests.apps.kit.access_files import ADMIN, USER, Written, a_token
from thv.apps.catalog_api.export import EXPORT_ROWS
from thv.apps.catalog_api.generation_wiring import on_machine
from thv.apps.catalog_api.offers import OFFER_ROWS
from thv.apps.catalog_api.previews import OpenReading
from thv.apps.dashboard.door import with_pages
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer, Request
from thv.apps.kit.http.server import HttpServer
from thv.apps.registry_api.guard import Guard
from thv.apps.standalone.access import ON_ONE_MACHINE
from thv.domain.permissions import ways

__all__ = ["anyio_backend", "site"]
CATALOG_USER = "toolhive-catalog-user"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that pages ask of the API; for a site that is made afterwards."""
    paths: list[str] = []
    ask = HttpServer.ask

    async def counted(self: HttpServer, request: Request) -> Answer:
        paths.append(request.path.decode())
        return await ask(self, request)

    monkeypatch.setattr(HttpServer, "ask", counted)
    return paths


@pytest.fixture
def browser(site: CatalogSite) -> Browser:
    """Somebody at a catalog that asks nobody who they are."""
    return Browser(open_pages(site))


def open_pages(site: CatalogSite, *more: Endpoint) -> Responder:
    """Pages for everybody, as `thv dev` has them; `more` are further rows of the API."""
    generation = on_machine(site.resources, None, address=address, clock=moment)
    door = site.door(more=(*EXPORT_ROWS, *OFFER_ROWS, *generation, *more))
    return with_pages(door, has_sign_in=False)


def guarded_pages(
    site: CatalogSite,
    folder: Path,
    open_reading: OpenReading | None = None,
    *,
    tries: Collection[str] | None = None,
) -> Responder:
    """Pages for those whom an access file knows.

    `open_reading` reads sources for whoever tries one, of the types in `tries`. Tokens: `admin` of everything; `reader` reads everything; `maker` reads `tools` and makes registries in `production`.
    """
    access = Written(
        folder / "tokens.yaml",
        a_token("admin", "ada", ADMIN),
        a_token("reader", "rob", USER),
        a_token("maker", "mia", f"{CATALOG_USER}@production", f"{USER}@tools"),
    )
    authorization = Authorization(access.reviews, ON_ONE_MACHINE, ways=ways)
    guard = Guard(site.find, authorization, lambda: True)
    generation = on_machine(
        site.resources, authorization, address=address, clock=moment, open_reading=open_reading
    )
    door = site.door(
        guard, more=(*EXPORT_ROWS, *OFFER_ROWS, *generation), authorization=authorization
    )
    return with_pages(door, has_sign_in=True, tries=tries)


def address(namespace: str, name: str) -> str:
    """Where the API of a registry would be."""
    return f"http://{name}-api.{namespace}.svc:8080"


async def signed_in(pages: Responder, token: str) -> Browser:
    """Somebody who has shown a token."""
    browser = Browser(pages)
    form = (await browser.open("/signin")).form("/signin")
    await browser.send(form, token=token)
    return browser
