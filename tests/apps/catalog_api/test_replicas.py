"""Two replicas of the catalog: what is asked of both is made once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, moment, osv
from tests.apps.kit.access_files import ADMIN, Written, a_token
from thv.apps.catalog_api.export import EXPORT_ROWS
from thv.apps.catalog_api.generation_wiring import on_machine
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.message import Answer, Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.http.server import HttpServer
from thv.apps.registry_api.guard import Guard
from thv.apps.standalone.access import ON_ONE_MACHINE
from thv.domain.permissions import ways
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY, uid_of

pytestmark = pytest.mark.anyio

BODY = msgspec.json.encode(
    {"metadata": {"registry_name": "mine"}, "servers": [{"name": "osv-scanner"}]}
)


class Sent:
    async def read(self, most: int) -> bytes:
        return BODY[: most + 1]


@pytest.fixture
async def replicas(site: CatalogSite, tmp_path: Path) -> list[HttpServer]:
    """Two over the same objects, each with what it remembers itself."""
    await site.put("main", osv(), namespace="tools")
    access = Written(tmp_path / "tokens.yaml", a_token("admin", "ada", ADMIN))
    authorization = Authorization(access.reviews, ON_ONE_MACHINE, ways=ways)
    guard = Guard(site.find, authorization, lambda: True)

    def replica() -> HttpServer:
        generation = on_machine(
            site.resources, authorization, address=lambda *_: "http://x", clock=moment
        )
        rows = (*EXPORT_ROWS, *generation)
        return site.door(guard, more=rows, authorization=authorization)

    return [replica(), replica()]


async def made(replica: HttpServer) -> Answer:
    headers = {
        b"authorization": b"Bearer admin",
        b"content-type": b"application/json",
        b"content-length": b"%d" % len(BODY),
        b"idempotency-key": b"once",
    }
    request = Request(
        method="POST", path=b"/api/v1/registries/production", headers=headers, incoming=Sent()
    )
    return await replica.ask(request)


@pytest.mark.requirement("CAT-07")
async def test_the_same_key_makes_nothing_twice_at_another_replica(
    site: CatalogSite, replicas: list[HttpServer]
) -> None:
    one, other = replicas
    first = await made(one)
    registry = await site.resources.get(MCP_REGISTRY, "production", "mine")
    with pytest.raises(ProblemError) as refused:
        await made(other)
    assert refused.value.word is Word.REGISTRY_EXISTS
    again = await made(one)
    assert (first.status, again.status) == (201, 201)
    assert (b"idempotency-replayed", b"true") in again.headers
    kept = await site.resources.get(MCP_REGISTRY, "production", "mine")
    assert uid_of(kept) == uid_of(registry)
    assert len((await site.resources.list(CONFIG_MAP)).items) == 1


async def test_the_same_key_at_both_at_once_makes_one(
    site: CatalogSite, replicas: list[HttpServer]
) -> None:
    found = await asyncio.gather(*map(made, replicas), return_exceptions=True)
    assert any(isinstance(each, Answer) and each.status == 201 for each in found)
    words = {each.word for each in found if isinstance(each, ProblemError)}
    assert words <= {Word.REGISTRY_EXISTS, Word.STATE_CONFLICT}
    assert all(isinstance(each, Answer | ProblemError) for each in found)
    assert len((await site.resources.list(MCP_REGISTRY)).items) == 1
    assert len((await site.resources.list(CONFIG_MAP)).items) == 1
