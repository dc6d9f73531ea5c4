"""One process with many registries, and callers with different rights: nobody learns of what is not theirs."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.apps.kit.access_files import Written, a_token
from tests.apps.registry_api.asking import Client, Reply
from tests.apps.registry_api.places import Site
from tests.stores.models.world import World, an_entry
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.reviews import ReviewFailedError
from thv.apps.registry_api.guard import Guard
from thv.apps.standalone.access import ON_ONE_MACHINE
from thv.domain.roles import PEOPLE_ROLES, Role
from thv.formats.tokens import Binding

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("OPS-01")]

READER = "toolhive-registry-user"
TEAMS = ("blue", "red")
PUBLIC = "com.open/everybody"
EACH = 7
"""Servers of a team's registry."""


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


class House:
    """Two teams with two registries each, and one registry for everybody."""

    def __init__(self, root: Path) -> None:
        self.site = Site(root / "site")
        self.written = Written(
            root / "tokens.yaml",
            a_token("of-blue", "bea", f"{READER}@blue"),
            a_token("of-red", "rod", f"{READER}@red"),
            a_token("of-both", "bo", READER),
            a_token("of-nobody", "nora"),
            a_token("of-devs", "dan", groups=("red-devs",)),
            bindings=(Binding(group="red-devs", role=READER, namespace="red"),),
        )
        self.authorization = Authorization(
            self.written.reviews,
            ON_ONE_MACHINE,
            now=lambda: self.written.now,
            clock=lambda: self.written.now,
        )

    async def fill(self) -> House:
        for team in TEAMS:
            own = [an_entry(f"com.{team}/s{number}", "1.0.0") for number in range(EACH)]
            shared = an_entry("com.shared/tool", "1.0.0", description=f"As {team} has it")
            await self.site.add("corp", World(*own, shared), namespace=team)
            await self.site.add("lab", World(an_entry(f"com.{team}/lab", "1.0.0")), namespace=team)
        open_to_all = {"api": {"anonymousRead": True}}
        world = World(an_entry(PUBLIC, "1.0.0"))
        await self.site.add("public", world, namespace="open", **open_to_all)
        return self

    @property
    def guard(self) -> Guard:
        return Guard(self.site.find, self.authorization, lambda: True)

    def client(self) -> Client:
        return self.site.client(self.guard, authorization=self.authorization)


@pytest.fixture
async def house(tmp_path: Path) -> House:
    return await House(tmp_path).fill()


@pytest.fixture
def client(house: House) -> Client:
    return house.client()


def names_of(team: str) -> set[str]:
    return {f"com.{team}/s{number}" for number in range(EACH)} | {f"com.{team}/lab"}


VISIBLE = {
    "": {PUBLIC},
    "of-nobody": {PUBLIC},
    "of-blue": {PUBLIC, "com.shared/tool"} | names_of("blue"),
    "of-red": {PUBLIC, "com.shared/tool"} | names_of("red"),
    "of-devs": {PUBLIC, "com.shared/tool"} | names_of("red"),
    "of-both": {PUBLIC, "com.shared/tool"} | names_of("blue") | names_of("red"),
}


# ---------------------------------------------------------------- lists and counts


async def walked(client: Client, token: str, limit: int) -> list[str]:
    """The names on all pages; each page counts what is on it."""
    found: list[str] = []
    cursor = ""
    while True:
        more = f"&cursor={cursor}" if cursor else ""
        reply = await client.send("GET", f"/v0.1/servers?limit={limit}{more}", bearer(token))
        assert reply.status == 200, reply.body
        assert reply.json["metadata"]["count"] == len(reply.names) <= limit
        found += reply.names
        cursor = reply.json["metadata"].get("nextCursor", "")
        if not cursor:
            return found


@pytest.mark.parametrize("token", VISIBLE)
async def test_a_list_shows_what_its_caller_may_see(client: Client, token: str) -> None:
    for limit in (1, 3, 100):
        assert await walked(client, token, limit) == sorted(VISIBLE[token])


@pytest.mark.requirement("API-06")
async def test_callers_at_once_never_see_what_is_not_theirs(client: Client) -> None:
    """Every page, version and search, 600 requests in random order with pauses in between, compressed and plain."""
    seen: dict[str, set[bytes]] = {token: set() for token in VISIBLE}
    paths = (
        "/v0.1/servers",
        "/v0.1/servers?limit=2",
        "/v0/servers?search=com.",
        "/v0.1/servers/com.shared%2Ftool/versions",
        "/v0.1/servers/com.shared%2Ftool",
        "/v0.1/servers/com.blue%2Fs1/versions/latest",
        "/v0.1/servers/com.red%2Flab/versions",
    )
    chance = random.Random(7)

    async def ask(token: str, path: str, encoding: str) -> None:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        headers = {**bearer(token), **({"accept-encoding": encoding} if encoding else {})}
        tag = chance.choice(sorted(tags)) if tags and chance.random() < 0.3 else ""
        if tag:
            headers["if-none-match"] = tag
        reply = await client.send("GET", path, headers)
        if reply.status == 304:
            assert tag in tags_of[token], "a tag of somebody else's answer was taken for one's own"
            return
        if reply.status == 200:
            tags.add(reply.headers["etag"])
            tags_of[token].add(reply.headers["etag"])
        seen[token].add(json.dumps(reply.json).encode())

    tags: set[str] = set()
    tags_of: dict[str, set[str]] = {token: set() for token in VISIBLE}
    asked = [
        (token, path, encoding)
        for token, path, encoding in itertools.product(VISIBLE, paths, ("", "gzip"))
        for _ in range(8)
    ]
    chance.shuffle(asked)
    await asyncio.gather(*(ask(*each) for each in asked))
    for token, bodies in seen.items():
        foreign = {team for team in TEAMS if f"com.{team}/lab" not in VISIBLE[token]}
        for body, team in itertools.product(bodies, foreign):
            for word in (f"com.{team}/", f'"{team}"', f"As {team} has it"):
                assert word.encode() not in body.replace(asked_for(body), b""), (token, word)


def asked_for(body: bytes) -> bytes:
    """What an error repeats of the request itself."""
    details = json.loads(body).get("details") or {}
    return json.dumps(details.get("value", "nothing")).encode()


async def test_who_holds_a_server_differently_is_told_to_those_alone_who_may_see_both(
    client: Client,
) -> None:
    for token, shadows in (("of-blue", 0), ("of-red", 0), ("of-both", 1)):
        reply = await client.send("GET", "/v0.1/servers/com.shared%2Ftool", bearer(token))
        meta = reply.json["_meta"]["io.stacklok.toolhive/registry"]
        assert len(meta["shadows"]) == shadows
        assert meta["namespace"] == ("red" if token == "of-red" else "blue")


async def test_a_right_that_was_taken_away_empties_the_list(house: House) -> None:
    client = house.client()
    assert await walked(client, "of-blue", 100) == sorted(VISIBLE["of-blue"])
    house.written.write(
        msgspec.structs.replace(
            house.written.file,
            tokens=(a_token("of-blue", "bea"), *house.written.file.tokens[1:]),
        )
    )
    house.written.reviews.look()
    assert await walked(client, "of-blue", 100) == [PUBLIC]


async def test_a_bad_token_gets_no_shorter_list(client: Client) -> None:
    """A follower whose token has ended must not take what is open for all there is."""
    for credential in ("Bearer garbage", "Basic eDp5"):
        reply = await client.send("GET", "/v0.1/servers", {"authorization": credential})
        assert (reply.status, reply.code) == (401, "INVALID_TOKEN")


async def test_without_a_token_and_without_anything_open_a_token_is_asked_for(
    house: House,
) -> None:
    del house.site.places["open", "public"]
    reply = await house.client().send("GET", "/v0.1/servers")
    assert (reply.status, reply.code) == (401, "UNAUTHENTICATED")


# ---------------------------------------------------------------- whether something exists


def paths_of(base: str) -> Iterator[str]:
    """One of each kind of path below a base."""
    for path in (
        "/api/v1/servers", "/api/v1/servers/x", "/api/v1/servers?limit=0", "/api/v1/info", "/api/v1/health",
        "/api/v1/export?format=xml", "/v0.1/servers", "/v0.1/servers/x/versions", "/v0.1/servers?limit=0",
        "/v0.1/health", "/openapi.json", "/api/v1/openapi.json", "/api/v1/nothing", "/v0.1/servers/", "/",
    ):  # fmt: skip
        yield base + path


def comparable(reply: Reply, base: str) -> tuple[int, str, dict[str, str]]:
    """An answer without the words that the caller itself has said."""
    ignored = {"x-request-id", "content-length", "etag"}
    headers = {name: value for name, value in reply.headers.items() if name not in ignored}
    text = json.dumps([reply.body.decode(), headers])
    for word, said in zip(("SPACE", "NAME"), base.split("/")[2:], strict=True):
        text = re.sub(rf"\b{said}\b", word, text)
    return reply.status, *json.loads(text)


@pytest.mark.parametrize("token", ["", "of-nobody", "of-blue", "garbage"])
async def test_what_one_may_not_read_looks_as_if_it_were_not_there(
    client: Client, token: str
) -> None:
    there, not_there, nowhere = "/r/red/corp", "/r/red/nosuch", "/r/void/corp"
    for known, unknown, other in zip(
        paths_of(there), paths_of(not_there), paths_of(nowhere), strict=True
    ):
        headers = {**bearer(token), "x-request-id": "same"}
        said = [
            comparable(await client.send("GET", path, headers), base)
            for path, base in ((known, there), (unknown, not_there), (other, nowhere))
        ]
        assert said[0] == said[1] == said[2], known


async def test_the_root_names_no_registry_to_those_who_ask_for_a_wrong_path(
    client: Client,
) -> None:
    for token in ("", "of-blue"):
        reply = await client.send("GET", "/api/v2/servers", bearer(token))
        assert reply.status == 404
        assert b"red" not in reply.body
        assert b"corp" not in reply.body


async def test_whoever_may_read_learns_what_is_there_and_what_is_not(client: Client) -> None:
    assert (await client.get("/r/red/corp/api/v1/servers", **bearer("of-red"))).status == 200
    missing = await client.get("/r/red/none/api/v1/servers", **bearer("of-red"))
    assert (missing.status, missing.code) == (404, "REGISTRY_NOT_FOUND")
    health = await client.get("/r/red/corp/api/v1/health", **bearer("of-red"))
    assert health.json["registry"] == "red/corp"


async def test_an_open_registry_answers_whoever_asks(client: Client) -> None:
    for token in ("", "garbage", "of-nobody", "of-blue"):
        reply = await client.get("/r/open/public/api/v1/servers", **bearer(token))
        assert reply.names == [PUBLIC]


# ---------------------------------------------------------------- roles


@pytest.mark.requirement("OPS-01")
@pytest.mark.parametrize("role", PEOPLE_ROLES, ids=lambda role: role.name)
async def test_a_role_reads_its_own_namespace_and_no_other(house: House, role: Role) -> None:
    holder = a_token("of-holder", "hal", f"{role.name}@blue")
    house.written.write(msgspec.structs.replace(house.written.file, tokens=(holder,)))
    house.written.reviews.look()
    client = house.client()
    for team, status in (("blue", 200), ("red", 403)):
        for path in ("/api/v1/servers", "/v0.1/servers", "/api/v1/export", "/api/v1/info"):
            reply = await client.get(f"/r/{team}/corp{path}", **bearer("of-holder"))
            assert reply.status == status, (team, path)
    assert await walked(client, "of-holder", 100) == sorted(VISIBLE["of-blue"])


# ---------------------------------------------------------------- who am I


async def test_a_caller_is_told_who_it_is_and_where_it_may_do_what(client: Client) -> None:
    reply = await client.get("/api/v1/me", **bearer("of-devs"))
    assert reply.json == {
        "user": "dan",
        "uid": "",
        "groups": ["red-devs"],
        "method": "token-file",
        "namespaces": [{"name": "red", "verbs": ["get", "list", "watch"]}],
    }
    assert reply.headers["cache-control"] == "no-store"
    nobody = await client.get("/api/v1/me", **bearer("of-nobody"))
    assert (nobody.json["user"], nobody.json["namespaces"]) == ("nora", [])
    both = await client.get("/api/v1/me", **bearer("of-both"))
    assert [space["name"] for space in both.json["namespaces"]] == ["blue", "open", "red"]
    for token, code in (("", "UNAUTHENTICATED"), ("garbage", "INVALID_TOKEN")):
        refused = await client.get("/api/v1/me", **bearer(token))
        assert (refused.status, refused.code) == (401, code)
        assert refused.headers["www-authenticate"].startswith("Bearer realm=")


async def test_a_caller_may_ask_whether_it_may_do_something(client: Client, house: House) -> None:
    async def can_i(question: str, token: str = "of-devs") -> bool:
        reply = await client.get(f"/api/v1/me/can-i?{question}", **bearer(token))
        assert reply.status == 200, reply.body
        answer: bool = reply.json["allowed"]
        return answer

    reading = "verb=get&resource=mcpregistries"
    assert await can_i(f"{reading}&namespace=red&name=corp")
    assert not await can_i(f"{reading}&namespace=blue")
    assert not await can_i(reading)
    assert await can_i(reading, "of-both")
    assert not await can_i("verb=create&resource=mcpregistries/sync&namespace=red")
    assert await can_i("verb=get&resource=mcpregistries/export&namespace=red")
    assert not await can_i(f"{reading}&namespace=red&group=toolhive.stacklok.dev")
    for query, field in (("", "verb"), ("?verb=get", "resource"), ("?verb=get&vreb=x", "vreb")):
        reply = await client.get(f"/api/v1/me/can-i{query}", **bearer("of-devs"))
        assert (reply.status, reply.field) == (400, field)
    free = house.site.client()
    assert (await free.get(f"/api/v1/me/can-i?{reading}&namespace=red")).json == {"allowed": True}
    answer = await free.get("/api/v1/me/can-i?verb=create&resource=mcpregistries")
    assert answer.json == {"allowed": False}


async def test_who_somebody_is_is_asked_before_what_they_say(client: Client) -> None:
    for path in (
        "/api/v1/me/can-i",
        "/api/v1/me?x=y",
        "/v0.1/servers?limit=0",
        "/v0.1/servers/%00",
    ):
        reply = await client.get(path, **bearer("garbage"))
        assert (reply.status, reply.code) == (401, "INVALID_TOKEN"), path
    for path in ("/api/v1/me/can-i", "/api/v1/me?x=y"):
        assert (await client.get(path)).code == "UNAUTHENTICATED", path


async def test_a_door_that_asks_nobody_calls_everybody_local(house: House) -> None:
    me = (await house.site.client().get("/api/v1/me")).json
    assert (me["user"], me["method"]) == ("local", "none")
    assert me["namespaces"][0] == {"name": "blue", "verbs": ["get", "list", "watch"]}


# ---------------------------------------------------------------- documents


async def test_the_documents_say_who_may_call_what(client: Client, house: House) -> None:
    token: dict[str, list[str]] = {"bearer": []}
    closed = (await client.send("GET", "/r/red/corp/openapi.json")).json
    opened = (await client.send("GET", "/r/open/public/openapi.json")).json
    root = (await client.send("GET", "/openapi.json")).json
    lists = "/api/v1/servers"
    assert closed["paths"][lists]["get"]["security"] == [token]
    assert closed["paths"][lists]["get"]["x-required-permissions"] == [
        "get mcpregistries (toolhive.stacklok.io)"
    ]
    assert opened["paths"][lists]["get"]["security"] == [{}, token]
    assert root["paths"]["/v0.1/servers"]["get"]["security"] == [{}, token]
    assert root["paths"]["/api/v1/me"]["get"]["security"] == [token]
    for document in (closed, opened, root):
        assert document["paths"]["/v0.1/ping"]["get"]["security"] == []
        assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    free = (await house.site.client().send("GET", "/openapi.json")).json
    assert "securitySchemes" not in free["components"]
    assert "security" not in free["paths"]["/v0.1/servers"]["get"]


@pytest.mark.requirement("API-05")
async def test_no_operation_gives_anything_without_what_its_document_asks_for(
    client: Client,
) -> None:
    told = {"serverName": "com.red%2Flab", "name": "com.red%2Flab", "version": "latest"}
    held: dict[str, int] = {}
    for base in ("/r/red/lab", "/r/open/public", ""):
        document = (await client.send("GET", f"{base}/openapi.json")).json
        for template, item in document["paths"].items():
            operation = item.get("get")
            if operation is None:
                continue
            path = base + template
            for name in re.findall(r"{(\w+)}", template):
                path = path.replace(f"{{{name}}}", told.get(name, "x"))
            statuses = [
                (await client.send("GET", path, bearer(token))).status
                for token in ("", "garbage", "of-nobody", "of-red")
            ]
            match operation["security"]:
                case []:
                    assert not {401, 403} & set(statuses), path
                case [{"bearer": []}]:
                    refused = [401, 401, 200 if template.startswith("/api/v1/me") else 403]
                    assert statuses[:3] in (refused, [401, 401, 400]), (path, statuses)
                    # What is installed in a namespace is not open where a registry is.
                    is_open = base == "/r/open/public"
                    assert (statuses[3] in (401, 403)) is is_open, (path, statuses)
                case asked:
                    assert asked == [{}, {"bearer": []}], path
                    assert statuses[3] not in (401, 403), (path, statuses)
            held[str(operation["security"])] = held.get(str(operation["security"]), 0) + 1
    assert min(held.values()) > 5
    assert len(held) == 3


# ---------------------------------------------------------------- nobody can say


async def test_while_nobody_can_say_who_somebody_is_only_what_is_open_is_read(
    house: House,
) -> None:
    house.written.put(b"tokens: [")
    house.written.reviews.look()
    client = house.client()
    for path in ("/v0.1/servers", "/r/red/corp/api/v1/servers", "/api/v1/me"):
        reply = await client.get(path, **bearer("of-both"))
        assert (reply.status, reply.code) == (503, "AUTHORIZER_UNAVAILABLE")
        assert int(reply.headers["retry-after"]) >= 1
    assert (await client.get("/v0.1/servers")).names == [PUBLIC]
    assert (await client.get("/r/open/public/api/v1/servers", **bearer("x"))).status == 200


async def test_a_right_that_cannot_be_judged_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> bool:
        raise ReviewFailedError("no answer within 2 s")

    monkeypatch.setattr(house.written.reviews, "allows", away)
    client = house.client()
    for path in ("/v0.1/servers", "/r/red/corp/api/v1/servers"):
        assert (await client.get(path, **bearer("of-red"))).status == 503


async def test_before_it_is_known_what_there_is_everybody_waits(house: House) -> None:
    guard = Guard(house.site.find, house.authorization, lambda: False)
    reply = await house.site.client(guard).get("/v0.1/servers", **bearer("of-both"))
    assert (reply.status, reply.code) == (503, "SNAPSHOT_UNAVAILABLE")
