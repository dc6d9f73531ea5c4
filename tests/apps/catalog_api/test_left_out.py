"""What registries leave out, by name, for those who may know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tests.apps.catalog_api.catalogs import CatalogSite
from tests.apps.kit.access_files import USER, Written, a_token
from tests.apps.registry_api.asking import Client
from thv.apps.catalog_api.left_out import LeftOuts, left_out_rows
from thv.apps.kit.authorization import Authorization
from thv.apps.registry_api.guard import Guard
from thv.apps.standalone.access import ON_ONE_MACHINE
from thv.domain.left_out import LeftOut, pack
from thv.domain.permissions import ways
from thv.domain.registry_status import Statistics
from thv.stores.chunks.base import Owner

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("REG-09")]

PLACE = "/api/v1/namespaces/tools/registries/corp/left-out"
NAMES = (
    LeftOut("a/one", 1, ("filter.exclude.names",)),
    LeftOut("a/two", 3, ("filter.exclude.names", "filter.include.tags")),
    LeftOut("b/Three", 1, ("validationPolicy.blockedPatterns",)),
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CatalogSite]:
    async with CatalogSite(tmp_path).running() as made:
        await leaving_out(made, *NAMES)
        yield made


async def leaving_out(site: CatalogSite, *names: LeftOut, more: int = 0) -> None:
    """The registry `tools/corp`, which leaves these out; `more` entries are not in its list."""
    place = await site.put("corp", namespace="tools")
    registry = place.served.registry
    chunk = pack(names)
    owner = Owner(registry.namespace, registry.name, registry.uid)
    ref = await site.chunks.put(owner, chunk) if chunk else None
    counts = Statistics(filtered_out=sum(n.versions for n in names) + more, left_out=ref)
    status = msgspec.structs.replace(registry.status, statistics=counts)
    place.served.describe(msgspec.structs.replace(registry, status=status))


def client(site: CatalogSite, folder: Path) -> Client:
    """`reader` reads `tools`, `other` reads another namespace."""
    access = Written(
        folder / "tokens.yaml",
        a_token("reader", "rob", f"{USER}@tools"),
        a_token("other", "ola", f"{USER}@other"),
    )
    authorization = Authorization(access.reviews, ON_ONE_MACHINE, ways=ways)
    guard = Guard(site.find, authorization, lambda: True)
    rows = left_out_rows(LeftOuts(authorization))
    return Client(site.door(guard, more=rows, authorization=authorization))


READER = {"authorization": "Bearer reader"}


async def test_names_stand_with_the_rules_that_keep_them_out(
    site: CatalogSite, tmp_path: Path
) -> None:
    reply = await client(site, tmp_path).get(PLACE, **READER)
    assert msgspec.convert(reply.json["left_out"], tuple[LeftOut, ...]) == NAMES
    counts = {"total_count": 3, "filtered_count": 3, "count": 3, "entries": 5, "complete": True}
    assert reply.json["metadata"] == counts


async def test_a_page_leads_to_the_next_one(site: CatalogSite, tmp_path: Path) -> None:
    asking = client(site, tmp_path)
    first = (await asking.get(f"{PLACE}?limit=2", **READER)).json
    assert [each["name"] for each in first["left_out"]] == ["a/one", "a/two"]
    cursor = first["metadata"]["next_cursor"]
    second = (await asking.get(f"{PLACE}?limit=2&cursor={cursor}", **READER)).json
    assert [each["name"] for each in second["left_out"]] == ["b/Three"]
    assert "next_cursor" not in second["metadata"]
    other = await asking.get(f"{PLACE}?search=a&cursor={cursor}", **READER)
    assert (other.status, other.code) == (400, "INVALID_CURSOR")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("search=THREE", ["b/Three"]),
        ("rule=filter.include.tags", ["a/two"]),
        ("rule=filter.include.tags,validationPolicy.blockedPatterns", ["a/two", "b/Three"]),
        ("search=nothing", []),
    ],
)
async def test_the_list_is_narrowed_down(
    site: CatalogSite, tmp_path: Path, query: str, names: list[str]
) -> None:
    found = (await client(site, tmp_path).get(f"{PLACE}?{query}", **READER)).json
    assert [each["name"] for each in found["left_out"]] == names
    assert (found["metadata"]["total_count"], found["metadata"]["filtered_count"]) == (
        3,
        len(names),
    )


async def test_a_list_that_is_not_all_says_so(site: CatalogSite, tmp_path: Path) -> None:
    await leaving_out(site, NAMES[0], more=7)
    metadata = (await client(site, tmp_path).get(PLACE, **READER)).json["metadata"]
    assert (metadata["total_count"], metadata["entries"], metadata["complete"]) == (1, 8, False)


async def test_what_leaves_out_nothing_answers_an_empty_list(
    site: CatalogSite, tmp_path: Path
) -> None:
    await leaving_out(site)
    found = (await client(site, tmp_path).get(PLACE, **READER)).json
    assert (found["left_out"], found["metadata"]["complete"]) == ([], True)


async def test_names_are_for_those_who_may_read_the_registry(
    site: CatalogSite, tmp_path: Path
) -> None:
    asking = client(site, tmp_path)
    assert (await asking.get(PLACE)).status == 401
    assert (await asking.get(PLACE, authorization="Bearer other")).status in (403, 404)
    nobody = Client(site.door(more=left_out_rows(LeftOuts(None))))
    refused = await nobody.get(PLACE)
    assert (refused.status, refused.code) == (403, "FORBIDDEN")
    assert "--left-out" in refused.json["error"]["details"]["hint"]


async def test_a_list_that_is_lost_says_what_to_do(site: CatalogSite, tmp_path: Path) -> None:
    site.chunks._chunks.clear()
    lost = await client(site, tmp_path).get(PLACE, **READER)
    assert lost.status == 503
