"""What the registry API refuses, row by row, at the root of a pod and below a base of one process."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from tests.apps.kit.access_files import USER, Written, a_token
from tests.apps.kit.memory_reviews import ALICE, MemoryReviews
from tests.apps.registry_api.asking import Client, Reply
from tests.apps.registry_api.places import Place, Site, a_world
from tests.stores.models.world import an_entry
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.rates import Limiter, Rate, Rates
from thv.apps.kit.reviews import Identity, ReviewFailedError
from thv.apps.registry_api.guard import Guard
from thv.apps.standalone.access import ON_ONE_MACHINE
from thv.domain.permissions import READ

pytestmark = pytest.mark.anyio

S = "/api/v1/servers"


class Row(msgspec.Struct, frozen=True):
    number: int
    target: str
    status: int
    code: str
    field: str | None = None
    accept: str = ""
    method: str = "GET"

    def __str__(self) -> str:
        return f"{self.number} {self.target[:60]}"


ROWS = [
    *(Row(1, f"{S}?limit={value}", 400, "INVALID_REQUEST", "limit") for value in ("0", "-1", "1001", "ten", "1e2", "")),
    Row(2, f"{S}?cursor=%%%", 400, "INVALID_CURSOR", "cursor"),
    Row(2, f"{S}?cursor=abc", 400, "INVALID_CURSOR", "cursor"),
    Row(5, f"{S}?catagory=web", 400, "INVALID_REQUEST", "catagory"),
    Row(6, f"{S}?transport=grpc", 400, "INVALID_REQUEST", "transport"),
    Row(7, f"{S}?tags=a,,b", 400, "INVALID_REQUEST", "tags"),
    Row(7, f"{S}?search={'a' * 201}", 400, "INVALID_REQUEST", "search"),
    Row(7, f"{S}?search=a&search=b", 400, "INVALID_REQUEST", "search"),
    Row(8, f"{S}?labelSelector=tier%20in%20(", 400, "INVALID_REQUEST", "labelSelector"),
    Row(8, f"{S}?updated_since=yesterday", 400, "INVALID_REQUEST", "updated_since"),
    Row(8, f"{S}?sort=relevance", 400, "INVALID_REQUEST", "sort"),
    Row(9, f"{S}?format=xml", 400, "INVALID_REQUEST", "format"),
    Row(10, S, 406, "NOT_ACCEPTABLE", accept="application/json; format=xml"),
    Row(10, S, 406, "NOT_ACCEPTABLE", accept="text/html"),
    Row(11, f"{S}?include_registry_info=yes", 400, "INVALID_REQUEST", "include_registry_info"),
    *(Row(12, f"{S}/{name}", 404, "SERVER_NOT_FOUND", "name") for name in ("nope", "a%2Fb%2Fc", "a%252Fb", "..%2F..%2Fetc")),
    *(Row(13, f"{S}/{name}", 400, "INVALID_REQUEST", "name") for name in ("a%00b", "a%0Ab", "%ff")),
    Row(14, f"{S}/osv/versions/9.9.9", 404, "VERSION_NOT_FOUND", "version"),
    Row(14, f"{S}/osv/versions/1.0.0/diff", 400, "INVALID_REQUEST", "base"),
    Row(15, "/api/v1/groups/nope", 404, "GROUP_NOT_FOUND", "group"),
    Row(15, "/api/v2/servers", 404, "NOT_FOUND"),
    Row(15, "/servers", 404, "NOT_FOUND"),
    Row(16, S, 405, "METHOD_NOT_ALLOWED", method="POST"),
    *(Row(27, f"/v0.1/servers?{query}", 422, "INVALID_REQUEST", query.partition("=")[0]) for query in ("limit=0", "limit=101", "limit=x", "include_deleted=2")),
    Row(28, "/v0.1/servers?updated_since=x", 400, "INVALID_REQUEST", "updated_since"),
    Row(28, "/v0.1/servers?updated_since=2026-01-01T00:00:00Z&include_deleted=false", 400, "INVALID_REQUEST", "include_deleted"),
    Row(28, "/v0.1/servers?cursor=%00", 400, "INVALID_CURSOR", "cursor"),
    Row(30, "/v0.1/servers/com.example%2Fnope/versions", 404, "SERVER_NOT_FOUND", "serverName"),
    Row(30, "/v0.1/servers/com.example%2Ffetch/versions/9.9.9", 404, "VERSION_NOT_FOUND", "version"),
    *(
        Row(31, f"/{version}{path}", 501, "NOT_IMPLEMENTED", method=method)
        for version in ("v0", "v0.1")
        for method, path in (
            ("POST", "/publish"),
            ("PUT", "/servers/a%2Fb/versions/1"),
            ("DELETE", "/servers/a%2Fb/versions/1"),
            ("PATCH", "/servers/a%2Fb/versions/1/status"),
            ("PATCH", "/servers/a%2Fb/status"),
        )
    ),
    Row(0, "/v0.1/auth/none", 404, "NOT_FOUND"),
    Row(0, "/v0.1/x/dev.toolhive/skills", 404, "NOT_FOUND"),
    Row(0, "/v0.1/validate", 404, "NOT_FOUND", method="POST"),
    Row(0, "/api/v1/tools/nope", 404, "TOOL_NOT_FOUND", "tool"),
    Row(0, f"{S}?tags={','.join('abcdefghijklmnopqrstu')}", 400, "INVALID_REQUEST", "tags"),
    Row(0, f"{S}?search=a+b+c+d+e+f+g+h+i+j+k", 400, "INVALID_REQUEST", "search"),
    Row(0, f"{S}?rank=bm25", 400, "INVALID_REQUEST", "rank"),
    Row(0, f"{S}?category=", 400, "INVALID_REQUEST", "category"),
    Row(0, f"{S}?search=%ff", 400, "INVALID_REQUEST", "search"),
    Row(0, "/api/v1/changes?since=never", 400, "INVALID_REQUEST", "since"),
    Row(0, "/api/v1/changes?since=0123456789abcdef", 410, "CURSOR_EXPIRED", "since"),
    Row(0, "/v0.1/publish", 405, "METHOD_NOT_ALLOWED"),
    Row(0, "/v0.1/servers?version=", 400, "INVALID_REQUEST", "version"),
]  # fmt: skip


class Door(NamedTuple):
    """Where a registry answers, and who may read it there."""

    client: Client
    base: str = ""
    reviews: MemoryReviews | None = None

    async def ask(self, row: Row) -> Reply:
        headers = {"accept": row.accept} if row.accept else {}
        return await self.client.ask(row.method, self.base + row.target, **headers)

    async def get(self, target: str, token: str = "") -> Reply:
        headers = {"authorization": token} if token else {}
        return await self.client.get(self.base + target, **headers)


@pytest.fixture(params=["pod", "standalone"])
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> Door:
    """Open to everybody."""
    if request.param == "pod":
        place = Place(tmp_path / "corp")
        await place.sync()
        return Door(place.client())
    site = Site(tmp_path)
    await site.add("corp", a_world())
    return Door(site.client(), "/r/default/corp")


@pytest.mark.requirement("API-02", "API-03", "API-06")
@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_row(door: Door, row: Row) -> None:
    reply = await door.ask(row)
    assert (reply.status, reply.code) == (row.status, row.code)
    if row.field is not None:
        assert reply.field == row.field
    is_official = row.target.startswith("/v0")
    assert reply.headers["content-type"] == f"application/{'problem+' if is_official else ''}json"


# ---------------------------------------------------------------- who asks

AUDIENCE = "corp-api.default.svc"
NORA = Identity(user="nora")


@pytest.fixture(params=["pod", "standalone"])
async def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Door:
    """Alice may read it."""
    site = Site(tmp_path / "site")
    place = await site.add("corp", a_world())
    if request.param == "pod":
        reviews = MemoryReviews()
        reviews.tokens = {
            ("good", AUDIENCE): ALICE,
            ("weak", AUDIENCE): NORA,
            ("elsewhere", "other-api.default.svc"): ALICE,
        }
        reviews.rights = {("alice", READ.on("default", "corp"))}
        authorization = Authorization(reviews)
        guard = Guard(site.find, authorization, lambda: True)
        return Door(place.client(authorize=guard.authorize), "", reviews)
    written = Written(
        tmp_path / "tokens.yaml",
        a_token("good", "alice", f"{USER}@default"),
        a_token("weak", "nora"),
        a_token("ended", "alice", f"{USER}@default", expires="2026-01-01T00:00:00Z"),
    )
    authorization = Authorization(written.reviews, ON_ONE_MACHINE, now=lambda: written.now)
    guard = Guard(site.find, authorization, lambda: True)
    return Door(site.client(guard, authorization=authorization), "/r/default/corp")


EVERY_READ = (
    S,
    f"{S}/osv",
    f"{S}/nope",
    "/api/v1/groups",
    "/api/v1/export",
    "/v0.1/servers",
    "/v0.1/servers/nope/versions",
)


@pytest.mark.requirement("API-05")
@pytest.mark.parametrize("target", EVERY_READ)
async def test_row_18_nobody(guarded: Door, target: str) -> None:
    reply = await guarded.get(target)
    assert (reply.status, reply.code) == (401, "UNAUTHENTICATED")
    assert reply.headers["www-authenticate"].startswith('Bearer realm="')
    assert "error=" not in reply.headers["www-authenticate"]


@pytest.mark.requirement("API-05")
@pytest.mark.parametrize(
    "credential",
    [
        "Bearer garbage",
        "Bearer ended",
        "Bearer elsewhere",
        "Bearer",
        "Bearer a b",
        "Basic eDp5",
        "good",
    ],
)
async def test_row_19_a_credential_that_is_not_good(guarded: Door, credential: str) -> None:
    reply = await guarded.get(S, credential)
    assert (reply.status, reply.code) == (401, "INVALID_TOKEN")
    assert reply.headers["www-authenticate"].endswith(', error="invalid_token"')


@pytest.mark.requirement("API-05")
async def test_row_19_a_token_that_is_in_no_header(guarded: Door) -> None:
    reply = await guarded.get(f"{S}?access_token=good")
    assert (reply.status, reply.code) == (401, "UNAUTHENTICATED")
    reply = await guarded.client.ask("GET", guarded.base + S, cookie="access_token=good")
    assert (reply.status, reply.code) == (401, "UNAUTHENTICATED")


@pytest.mark.requirement("API-05")
@pytest.mark.parametrize("target", EVERY_READ)
async def test_row_20_somebody_who_may_not_read_it(guarded: Door, target: str) -> None:
    reply = await guarded.get(target, "Bearer weak")
    assert (reply.status, reply.code) == (403, "NAMESPACE_ACCESS_DENIED")
    assert reply.field == "namespace"
    assert (await guarded.get(S, "Bearer good")).status == 200


async def test_row_21_what_is_served_no_longer(door: Door) -> None:
    """Nothing tells of it but a tombstone, to those who ask for it."""
    for target in (f"{S}/com.example%2Fgone", f"{S}/com.example%2Fgone/versions/1.0.0"):
        reply = await door.get(target)
        assert (reply.status, reply.code) == (404, "SERVER_NOT_FOUND")
    for target in (
        f"{S}?search=gone",
        f"{S}?version=all",
        "/v0.1/servers?search=gone",
        "/api/v1/export",
    ):
        assert b"com.example/gone" not in (await door.get(target)).body
    told = await door.get("/v0.1/servers?include_deleted=true&search=gone")
    assert told.names == ["com.example/gone"]


async def test_row_23_nobody_can_say_who_asks(guarded: Door) -> None:
    if guarded.reviews is None:
        pytest.skip("a file of this machine does not hang")
    guarded.reviews.failure = ReviewFailedError("it hangs")
    reply = await guarded.get(S, "Bearer good")
    assert (reply.status, reply.code) == (503, "AUTHORIZER_UNAVAILABLE")
    assert int(reply.headers["retry-after"]) > 0


async def test_row_25_somebody_who_asks_for_too_much(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await place.sync()
    limiter = Limiter(Rates(reads=Rate(0.01, 0.1), loopback=True))
    client = place.client(limiter=limiter)
    first = await client.get(S)
    assert (first.status, first.headers["ratelimit-policy"]) == (200, '"reads";q=0.1;w=10')
    reply = await client.get(S)
    assert (reply.status, reply.code) == (429, "RATE_LIMITED")
    assert int(reply.headers["retry-after"]) == reply.json["error"]["details"]["retry_after"] > 0
    assert reply.headers["ratelimit"].startswith('"reads";r=0;t=')
    assert (await client.get("/healthz")).status == 200


async def test_row_25_an_address_that_tries_tokens(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await place.sync()
    guard = Guard(place.find, Authorization(MemoryReviews()), lambda: True)
    limiter = Limiter(Rates(failures=Rate(0.01, 3), loopback=True))
    client = place.client(authorize=guard.authorize, limiter=limiter)
    for _ in range(3):
        assert (await client.get(S, authorization="Bearer garbage")).status == 401
    reply = await client.get(S, authorization="Bearer good")
    assert (reply.status, reply.code) == (429, "RATE_LIMITED")
    assert (await client.get(S)).status == 401


# ---------------------------------------------------------------- rows that need more than one request


async def test_row_3_a_cursor_of_another_query(client: Client) -> None:
    first = await client.get(f"{S}?limit=1&tier=Community")
    second = await client.get(f"{S}?limit=1&status=Active")
    cursor = second.json["metadata"]["next_cursor"]
    reply = await client.get(f"{S}?tier=Official&cursor={cursor}")
    assert (reply.status, reply.code) == (400, "INVALID_CURSOR")
    assert first.status == 200
    assert (await client.get(f"{S}?limit=2&status=Active&cursor={cursor}")).status == 200


async def test_row_4_a_cursor_of_a_collected_snapshot(place: Place, client: Client) -> None:
    first = await client.get(f"{S}?limit=2")
    cursor = first.json["metadata"]["next_cursor"]
    place.world.forget(("com.example/plain", "2.0.0+build.1"))
    await place.sync(delta=True)
    late = await client.get(f"{S}?limit=20&cursor={cursor}")
    assert "com.example/plain" in late.names
    assert late.headers["x-snapshot"] == first.headers["x-snapshot"]
    place.clock.now += 601
    reply = await client.get(f"{S}?limit=2&cursor={cursor}")
    assert (reply.status, reply.code) == (410, "CURSOR_EXPIRED")


async def test_row_12_and_34_say_the_same_of_every_missing_name(client: Client) -> None:
    bodies = []
    for name in ("nope", "a%2Fb"):
        body = (await client.get(f"{S}/{name}")).json
        del (
            body["error"]["details"]["request_id"],
            body["error"]["details"]["value"],
            body["instance"],
        )
        bodies.append(body)
    assert bodies[0] == bodies[1]


async def test_row_15_names_the_nearest_base(client: Client) -> None:
    reply = await client.get("/servers")
    assert "/api/v1/servers" in reply.json["error"]["details"]["hint"]


async def test_row_16_lists_what_is_allowed(client: Client) -> None:
    reply = await client.ask("POST", S)
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_row_17_a_trailing_slash(client: Client) -> None:
    reply = await client.get(f"{S}/")
    assert (reply.status, reply.headers["location"]) == (308, S)
    reply = await client.get("/v0.1/servers/?limit=1")
    assert (reply.status, reply.headers["location"]) == (308, "/v0.1/servers?limit=1")
    assert (await client.get("/nothing/")).status == 404


async def test_row_22_before_the_first_sync(tmp_path: Path) -> None:
    client = Place(tmp_path / "new").client()
    for target in (
        S,
        f"{S}/x",
        "/v0.1/servers",
        "/api/v1/groups",
        "/api/v1/tools",
        "/api/v1/export",
        "/api/v1/changes",
    ):
        reply = await client.get(target)
        assert (reply.status, reply.code) == (503, "SNAPSHOT_UNAVAILABLE")
        assert int(reply.headers["retry-after"]) > 0
    assert (await client.get("/readyz")).status == 503
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/api/v1/health")).json["status"] == "unavailable"


async def test_row_24_what_is_too_long(client: Client) -> None:
    reply = await client.get(f"{S}?search={'a' * 9000}")
    assert (reply.status, reply.code) == (414, "URI_TOO_LONG")
    reply = await client.get(S, x_padding="a" * 17_000)
    assert (reply.status, reply.code) == (431, "HEADERS_TOO_LARGE")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", ""]
)
async def test_row_26_a_host_that_is_not_ours(place: Place, host: str) -> None:
    app = place.app(hosts=frozenset({"localhost", "127.0.0.1", "[::1]"}))
    reply = await Client(app, host=host).send("GET", S)
    assert (reply.status, reply.code) == (421, "MISDIRECTED_REQUEST")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]", "[::1]:8080"]
)
async def test_row_26_a_host_that_is_ours(place: Place, host: str) -> None:
    app = place.app(hosts=frozenset({"localhost", "127.0.0.1", "[::1]"}))
    assert (await Client(app, host=host).send("GET", S)).status == 200


async def test_row_27_and_30_speak_as_the_official_registry(client: Client) -> None:
    reply = await client.get("/v0.1/servers?limit=0")
    assert reply.json["errors"][0]["location"] == "query.limit"
    reply = await client.get("/v0.1/servers/com.example%2Fnope/versions")
    assert reply.json["error"] == reply.json["detail"] == "Server not found"
    reply = await client.get("/v0.1/servers/com.example%2Ffetch/versions/9.9.9")
    assert reply.json["error"] == reply.json["detail"] == "Server version not found"
    reply = await client.ask("POST", "/v0.1/publish")
    assert reply.json["detail"] == "Publishing is not supported by this registry"


async def test_row_29_unknown_parameters_of_the_official_api(client: Client) -> None:
    assert (await client.get("/v0.1/servers?unknown=1&limit=1&limit=2")).status == 200


async def test_row_32_preflights_that_are_refused(client: Client) -> None:
    for target, method in (("/v0.1/servers", "DELETE"), (S, "GET")):
        reply = await client.ask(
            "OPTIONS", target, origin="https://evil.example", access_control_request_method=method
        )
        assert reply.status == 403
        assert not [name for name in reply.headers if name.startswith("access-control")]


async def test_values_are_shown_cut_and_without_control_characters(client: Client) -> None:
    reply = await client.get(f"{S}?tier=a%1b[31m{'x' * 400}")
    assert reply.json["error"]["details"]["value"] == "a\\u001b[31m" + "x" * 250 + "..."


async def test_every_culprit_is_named(client: Client) -> None:
    reply = await client.get(f"{S}?limit=0&tier=&nope=1")
    assert {error["location"] for error in reply.json["errors"]} == {
        "query.limit",
        "query.tier",
        "query.nope",
    }


async def test_a_name_that_was_mistyped_gets_a_suggestion(client: Client) -> None:
    reply = await client.get(f"{S}?catagory=web")
    assert "did you mean category" in reply.json["error"]["message"]


async def test_errors_come_as_problems_to_those_who_want_them(client: Client) -> None:
    reply = await client.get(f"{S}?limit=0", accept="application/json, application/problem+json")
    assert reply.headers["content-type"] == "application/problem+json"
    assert (await client.get(S, accept="application/problem+json, application/json")).status == 200


async def test_the_missing_name_is_missing_for_any_condition(client: Client) -> None:
    for headers in ({"if_none_match": "*"}, {"if_modified_since": "Fri, 20 Nov 2099 10:00:00 GMT"}):
        assert (await client.get(f"{S}/nope", **headers)).status == 404


async def test_deleted_versions_are_found_on_request_only(place: Place, client: Client) -> None:
    assert (await client.get("/v0.1/servers/com.example%2Fgone/versions/1.0.0")).status == 404
    reply = await client.get("/v0.1/servers/com.example%2Fgone/versions/1.0.0?include_deleted=true")
    assert reply.status == 200
    assert set(reply.json["server"]) == {"name", "description", "version"}
    official = reply.json["_meta"]["io.modelcontextprotocol.registry/official"]
    assert (official["status"], official["statusMessage"]) == ("deleted", "removed")
    place.world.put(an_entry("com.example/fetch", "9.0.0", status="deleted"))
    await place.sync()
    assert (await client.get("/v0.1/servers/com.example%2Ffetch/versions/latest")).json["server"][
        "version"
    ] == "0.2.0"
