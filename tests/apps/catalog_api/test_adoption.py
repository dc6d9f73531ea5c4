"""C31 and C32: an installed server becomes one of a registry, by its labels and annotations alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, moment, osv
from tests.apps.kit.access_files import ADMIN, USER, Written, a_token
from tests.apps.registry_api.asking import Client, Reply
from tests.apps.registry_api.fleets import an_installed, followed, install, until
from tests.stores.models.world import an_entry
from thv.apps.catalog_api.generation_wiring import on_machine
from thv.apps.catalog_api.schemas import (
    AdoptionCandidates,
    CatalogDeployment,
    CatalogDeploymentList,
)
from thv.apps.kit.authorization import Authorization
from thv.apps.registry_api.fleet import Fleet, Place
from thv.apps.registry_api.guard import Guard
from thv.apps.standalone.access import ON_ONE_MACHINE
from thv.catalog.adopt import sought
from thv.catalog.installed import installed_of
from thv.domain.canonical import JsonObject
from thv.domain.permissions import ways
from thv.domain.resources import GROUP, MCP_SERVER, OLD_PREFIX, PREFIX

pytestmark = pytest.mark.anyio

LIST = "/api/v1/deployments"
IMAGE = "ghcr.io/stackloklabs/osv-mcp/server"
OSV = {"registry": "team/shared", "server": "osv-scanner"}
SAID = {
    f"{PREFIX}registry-name": "shared",
    f"{PREFIX}registry-namespace": "team",
    f"{PREFIX}server-name": "osv-scanner",
    f"{PREFIX}tier": "Community",
    f"{PREFIX}category": "security",
}


class Adopting:
    """A catalog that is asked by people with tokens."""

    def __init__(self, site: CatalogSite, folder: Path) -> None:
        self.site = site
        access = Written(
            folder / "tokens.yaml",
            a_token("admin", "ada", ADMIN),
            a_token("deployer", "dee", "toolhive-registry-deployer@prod", f"{USER}@team"),
            a_token("reader", "rob", USER),
        )
        self.authorization = Authorization(access.reviews, ON_ONE_MACHINE, ways=ways)
        guard = Guard(site.find, self.authorization, lambda: True)
        self.client = self.asked_by(guard, self.authorization)

    def asked_by(
        self, guard: Guard | None, authorization: Authorization | None, **more: Any
    ) -> Client:
        rows = on_machine(
            self.site.resources, authorization, address=lambda *_: "", clock=moment, **more
        )
        return self.site.client(guard, more=rows)

    async def adopt(
        self, name: str, by: str = "deployer", space: str = "prod", **body: Any
    ) -> Reply:
        return await self.client.post(place(name, space), body, authorization=f"Bearer {by}")

    async def look(self, name: str, by: str = "deployer", space: str = "prod") -> Reply:
        target = place(name, space).replace("/adopt", "/candidates")
        return await self.client.get(target, authorization=f"Bearer {by}")

    async def listed(self, query: str = "", by: str = "deployer") -> Any:
        reply = await self.client.get(f"{LIST}{query}", authorization=f"Bearer {by}")
        assert reply.status == 200, reply.json
        return reply.json

    async def names(self, query: str = "", by: str = "deployer") -> list[str]:
        return [each["name"] for each in (await self.listed(query, by))["deployments"]]

    async def object(self, name: str, space: str = "prod") -> JsonObject:
        return await self.site.resources.get(MCP_SERVER, space, name)


def place(name: str, space: str = "prod") -> str:
    return f"/api/v1/namespaces/{space}/deployments/{name}/adopt"


def shaped(body: Any, shape: type[Any]) -> None:
    assert msgspec.to_builtins(msgspec.convert(body, shape)) == body


@pytest.fixture
async def adopting(site: CatalogSite, tmp_path: Path) -> AsyncIterator[Adopting]:
    """Two registries with the same server, a server of an older version, and one that nobody but an admin sees."""
    await site.put("shared", osv("0.1.3"), an_entry("com.example/files"), namespace="team")
    await site.put("vault", osv("0.1.3"), namespace="secret", trustLevel="trusted")
    await install(
        site.resources,
        an_installed("scan", IMAGE, namespace="prod"),
        an_installed("odd", "ghcr.io/else/where:1", namespace="prod", team="blue"),
        an_installed("theirs", IMAGE, namespace="elsewhere"),
    )
    async with followed(site.fleet, site.resources):
        yield Adopting(site, tmp_path)


# ---------------------------------------------------------------- adopted


@pytest.mark.requirement("SRV-02")
async def test_a_server_of_no_registry_becomes_one_of_a_registry(adopting: Adopting) -> None:
    before = await adopting.object("scan")
    assert await adopting.names() == []
    reply = await adopting.adopt("scan", **OSV)
    assert reply.status == 200, reply.json
    shaped(reply.json, CatalogDeployment)
    assert (reply.json["registry"], reply.json["server_name"]) == ("team/shared", "osv-scanner")
    assert (reply.json["server_version"], reply.json["drift"]) == ("0.1.3", "none")
    after = await adopting.object("scan")
    assert after["metadata"]["labels"] == SAID
    annotations = after["metadata"]["annotations"]
    assert annotations.pop(f"{PREFIX}revision").startswith("sha256:")
    assert annotations == {
        "registry.toolhive.io/source": "shared",
        f"{PREFIX}server-name": "osv-scanner",
        f"{PREFIX}server-version": "0.1.3",
    }
    assert after["spec"] == before["spec"]
    assert await adopting.names() == ["scan"]
    assert await adopting.names("?origin=none") == ["odd"]


async def test_of_another_image_it_is_known_which_server_and_no_version(adopting: Adopting) -> None:
    reply = await adopting.adopt("odd", **OSV)
    assert (reply.json["server_version"], reply.json["drift"]) == (None, "image")
    after = await adopting.object("odd")
    assert after["metadata"]["labels"] == {**SAID, f"{PREFIX}team": "blue"}
    assert f"{PREFIX}revision" not in after["metadata"]["annotations"]


async def test_an_older_version_is_known_by_its_image(adopting: Adopting) -> None:
    def entry(version: str) -> Any:
        package = {
            "registryType": "oci",
            "identifier": f"docker.io/acme/thing:v{version}",
            "transport": {"type": "stdio"},
        }
        return an_entry("com.acme/thing", version, packages=[package])

    await adopting.site.put("acme", *(entry(f"1.{n}.0") for n in range(4)), namespace="prod")
    await install(
        adopting.site.resources,
        an_installed("old", "docker.io/acme/thing:v1.1.0", namespace="prod"),
    )
    reply = await adopting.adopt("old", registry="acme", server="com.acme/thing")
    assert (reply.json["server_version"], reply.json["drift"]) == ("1.1.0", "outdated")


async def test_the_same_again_changes_nothing(adopting: Adopting) -> None:
    assert (await adopting.adopt("scan", **OSV)).status == 200
    before = await adopting.object("scan")
    assert (await adopting.adopt("scan", registry="shared", server="osv-scanner")).status == 200
    assert await adopting.object("scan") == before


async def test_what_is_somebody_elses_is_moved_only_if_that_is_said(adopting: Adopting) -> None:
    old = {f"{OLD_PREFIX}registry-name": "gone", f"{OLD_PREFIX}tier": "Official"}
    obj = an_installed("scan", IMAGE, namespace="prod", registry_name="gone", server_name="other")
    obj["metadata"]["labels"] |= {**old, "app": "mine"}
    await install(adopting.site.resources, obj)
    await until(lambda: [place.name for place, _ in adopting.site.fleet.every()] == ["scan"])
    refused = await adopting.adopt("scan", **OSV)
    assert (refused.status, refused.code) == (409, "STATE_CONFLICT")
    assert "other of prod/gone" in refused.json["error"]["message"]
    assert refused.json["errors"][0]["location"] == "body.move"
    moved = await adopting.adopt("scan", **OSV, move=True)
    assert moved.status == 200
    after = await adopting.object("scan")
    assert after["metadata"]["labels"] == {**SAID, "app": "mine"}


async def test_somebody_who_writes_meanwhile_is_not_written_over(
    adopting: Adopting, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, merge = adopting.site.resources, adopting.site.resources.merge
    others: list[JsonObject] = []

    async def slower(*args: Any, **more: Any) -> JsonObject:
        """Between our look and our patch somebody else adopts it."""
        if not others:
            theirs = {"metadata": {"labels": {f"{PREFIX}registry-name": "vault"}}}
            others.append(await merge(MCP_SERVER, "prod", "scan", theirs, manager="other"))
        return await merge(*args, **more)

    monkeypatch.setattr(store, "merge", slower)
    refused = await adopting.adopt("scan", **OSV)
    assert (refused.status, refused.code) == (409, "STATE_CONFLICT")
    assert await adopting.object("scan") == others[0]


async def test_both_requests_are_in_the_document(adopting: Adopting) -> None:
    document = (await adopting.client.send("GET", "/openapi.json")).json
    paths = {path.rpartition("/")[2]: item for path, item in document["paths"].items()}
    wish = paths["adopt"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert wish == {"$ref": "#/components/schemas/AdoptionWish"}
    assert "200" in paths["candidates"]["get"]["responses"]
    assert {"AdoptionWish", "AdoptionCandidates"} <= document["components"]["schemas"].keys()


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({}, 400, "INVALID_REQUEST", "registry"),
        ({"registry": "shared"}, 400, "INVALID_REQUEST", "server"),
        ({**OSV, "server": 7}, 400, "INVALID_REQUEST", "server"),
        ({**OSV, "move": "yes"}, 400, "INVALID_REQUEST", "move"),
        ({**OSV, "group": "apps"}, 400, "INVALID_REQUEST", "group"),
        ({**OSV, "image": "x"}, 400, "INVALID_REQUEST", "image"),
        ({**OSV, "registry": "nope"}, 404, "REGISTRY_NOT_FOUND", "registry"),
        ({**OSV, "registry": "secret/vault"}, 404, "REGISTRY_NOT_FOUND", "registry"),
        ({**OSV, "server": "nope"}, 404, "SERVER_NOT_FOUND", "server"),
    ],
)
async def test_what_is_wrong_is_named(
    adopting: Adopting, body: JsonObject, status: int, code: str, field: str
) -> None:
    reply = await adopting.adopt("scan", **body)
    assert (reply.status, reply.code, reply.field) == (status, code, field)
    assert "labels" not in (await adopting.object("scan"))["metadata"]


async def test_a_name_of_several_registries_is_said_with_its_namespace(adopting: Adopting) -> None:
    await adopting.site.put("vault", osv(), namespace="other")
    reply = await adopting.adopt("scan", by="admin", registry="vault", server="osv-scanner")
    assert (reply.status, reply.field) == (400, "registry")
    assert "secret/vault, other/vault" in reply.json["error"]["message"]


async def test_a_server_that_is_not_there(adopting: Adopting) -> None:
    for reply in (await adopting.adopt("none", **OSV), await adopting.look("none")):
        assert (reply.status, reply.code, reply.field) == (404, "NOT_FOUND", "deployment")
        assert "origin=none" in reply.json["error"]["details"]["hint"]


@pytest.mark.requirement("CAT-09")
@pytest.mark.parametrize(("by", "space"), [("reader", "prod"), ("deployer", "elsewhere")])
async def test_who_may_not_is_told_which_right_is_missing(
    adopting: Adopting, by: str, space: str
) -> None:
    for name in ("theirs", "absent"):
        reply = await adopting.adopt(name, by=by, space=space, **OSV)
        assert (reply.status, reply.code) == (403, "NAMESPACE_ACCESS_DENIED")
        assert f'patch mcpservers in the namespace "{space}"' in reply.json["error"]["message"]
    assert (await adopting.look("theirs", space="elsewhere")).status == 403


async def test_nobody_adopts_where_nobody_is_asked_or_nothing_is_written(
    adopting: Adopting,
) -> None:
    open_ = adopting.asked_by(None, None)
    assert (await open_.post(place("scan"), OSV)).code == "FORBIDDEN"
    still = adopting.asked_by(None, adopting.authorization, read_only=True)
    reply = await still.post(place("scan"), OSV, authorization="Bearer admin")
    assert reply.code == "READ_ONLY"


async def test_where_there_is_no_such_kind_it_is_said(site: CatalogSite, tmp_path: Path) -> None:
    async def none(_: Any) -> tuple[()]:
        return ()

    async with followed(site.fleet, site.resources, none):
        adopting = Adopting(site, tmp_path)
        await site.put("shared", osv(), namespace="team")
        for reply in (await adopting.adopt("scan", **OSV), await adopting.look("scan")):
            assert (reply.status, reply.code) == (404, "NOT_FOUND")
            assert "no kind MCPServer here" in reply.json["error"]["message"]


# ---------------------------------------------------------------- found


async def test_those_of_no_registry_are_a_list_of_their_own(adopting: Adopting) -> None:
    found = await adopting.listed("?origin=none&limit=1")
    shaped(found, CatalogDeploymentList)
    assert found["metadata"].pop("next_cursor")
    assert found["metadata"] == {
        "total_count": 2, "filtered_count": 2, "count": 1, "complete": True
    }  # fmt: skip
    one = found["deployments"][0]
    assert (one["name"], one["registry"], one["server_name"], one["drift"]) == ("odd", *[None] * 3)
    assert await adopting.names("?origin=none", by="admin") == ["odd", "scan", "theirs"]
    assert await adopting.names("?origin=none&namespace=elsewhere", by="admin") == ["theirs"]
    assert await adopting.names("?origin=none&labelSelector=toolhive.stacklok.io/team%3Dblue") == [
        "odd"
    ]
    assert await adopting.names("?origin=none&registry=shared") == []
    wrong = await adopting.client.get(f"{LIST}?origin=all", authorization="Bearer reader")
    assert (wrong.status, wrong.field) == (400, "origin")


async def test_what_a_server_may_be_is_guessed_by_its_image(adopting: Adopting) -> None:
    reply = await adopting.look("scan")
    shaped(reply.json, AdoptionCandidates)
    assert reply.json["deployment"]["image"] == IMAGE
    assert [(c["registry"], c["server"], c["likeness"]) for c in reply.json["candidates"]] == [
        ("team/shared", "osv-scanner", "image")
    ]
    seen = (await adopting.look("scan", by="admin")).json["candidates"]
    assert [each["registry"] for each in seen] == ["secret/vault", "team/shared"]
    assert (await adopting.look("odd")).json["candidates"] == []


async def test_another_tag_and_a_name_are_guesses_too(adopting: Adopting) -> None:
    await install(
        adopting.site.resources,
        an_installed("any", f"{IMAGE}:0.0.1", namespace="prod"),
        an_installed("files", "ghcr.io/x/y", namespace="prod"),
    )
    await until(lambda: adopting.site.fleet.find(Place("files", "prod", GROUP)) is not None)
    for name, likeness in (("any", "repository"), ("files", "name")):
        found = (await adopting.look(name)).json["candidates"]
        assert [each["likeness"] for each in found] == [likeness], name


@pytest.mark.parametrize(
    ("image", "name", "texts"),
    [
        (
            "ghcr.io/github/github-mcp-server:v1",
            "issues",
            ("github-mcp-server", "issues", "github"),
        ),
        ("r.io:5000/mcp/server@sha256:ab", "mcp-server-1", ("mcp-server-1",)),
        ("ghcr.io/stackloklabs/osv-mcp/server", "server", ("osv-mcp", "stackloklabs osv")),
        ("redis:7", "redis", ("redis",)),
        ("npx://@acme/x@1.0.0", "x", ("x",)),
        ("a/" + "-".join("bcdefghijk"), "n", ("b-c-d-e-f-g-h-i", "n", "a b c d e f g h")),
    ],
)
def test_what_is_searched_for_is_short_and_telling(
    image: str, name: str, texts: tuple[str, ...]
) -> None:
    assert sought(installed_of(an_installed(name, image))) == texts


# ---------------------------------------------------------------- kept


def test_no_more_servers_of_no_registry_are_kept_than_that() -> None:
    fleet = Fleet(unclaimed=2)
    first, *_ = places = [Place(name, "prod", GROUP) for name in ("a", "b", "c")]
    plain = installed_of(an_installed("x", IMAGE))

    def state() -> tuple[str, str, bool]:
        claimed = "".join(place.name for place, _ in fleet.every())
        return claimed, "".join(place.name for place, _ in fleet.unclaimed()), fleet.is_cut

    for each in places:
        fleet.put(each, plain)
    assert state() == ("", "ab", True)
    fleet.put(first, installed_of(an_installed("a", IMAGE, registry_name="shared")))
    assert state() == ("a", "b", False)
    fleet.put(first, plain)
    assert state() == ("", "ab", True)
    fleet.drop(first)
    assert state() == ("", "b", False)
    alone = Fleet(unclaimed=0)
    alone.put(first, plain)
    assert not list(alone.unclaimed())
