"""The url source against a real server: documents, validators, and the API that is found where no document is."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json

import pytest

from tests.sources.reader import Reader, alive_in
from tests.sources.web import Clock, Naps, web
from tests.upstream import Play, Upstream, answer, bomb, drip, endless, reset, status, truncated
from thv.clients.http.client import HttpClient
from thv.clients.http.response import Limits
from thv.clients.http.url import parse_url
from thv.domain import registry as specs
from thv.domain.errors import Code, Next, ThvError
from thv.sources.base import Document, Known, Pages, SecretData, Unchanged
from thv.sources.url import UrlSource, api_of

pytestmark = [pytest.mark.anyio, pytest.mark.flows, pytest.mark.requirement("REG-03")]

BODY = json.dumps({"servers": {"a": {"image": "a:1"}}}).encode()


def opened(
    up: Upstream,
    client: HttpClient,
    path: str = "/servers.json",
    *,
    limits: Limits | None = None,
    clock: Clock | None = None,
    **fields: object,
) -> UrlSource:
    spec = specs.UrlSource(url=up.url + path, **fields)  # type: ignore[arg-type]
    secrets = {"read": SecretData({"token": b"canary"})}
    outside = web(client, [up.place], secrets=secrets, now=clock)
    return UrlSource(spec, outside, limits or Limits(), Naps().settings(page_size=2))


@pytest.fixture
def source(up: Upstream, client: HttpClient, clock: Clock) -> UrlSource:
    return opened(up, client, clock=clock)


async def read(document: object) -> tuple[bytes, str, int | None]:
    """Body, path and size of the only part."""
    assert isinstance(document, Document), document
    found = []
    async for part in document.parts:
        body = b"".join([chunk async for chunk in part.chunks])
        found.append((body, part.path, part.size))
    assert len(found) == 1
    return found[0]


# ---------------------------------------------------------------- documents


async def test_a_document_is_one_part_with_its_size(source: UrlSource, up: Upstream) -> None:
    up.file("/servers.json", BODY, etag='"1"', last_modified="Sat, 21 Nov 2026 11:00:00 GMT")
    document = await source.fetch(Known())
    assert await read(document) == (BODY, "servers.json", len(BODY))
    assert isinstance(document, Document)
    assert document.known == Known(
        origin=source.origin,
        revision='"1"',
        etag='"1"',
        last_modified="Sat, 21 Nov 2026 11:00:00 GMT",
    )


@pytest.mark.parametrize(
    "validators",
    [
        {"etag": '"1"'},
        {"etag": 'W/"1"'},
        {"last_modified": "Sat, 21 Nov 2026 11:00:00 GMT"},
        {"etag": '"1"', "last_modified": "Sat, 21 Nov 2026 11:00:00 GMT"},
    ],
)
async def test_validators_spare_the_body(
    source: UrlSource, up: Upstream, validators: dict[str, str]
) -> None:
    up.file("/servers.json", BODY, **validators)
    document = await source.fetch(Known())
    assert isinstance(document, Document)
    await read(document)
    sent = up.bytes_sent
    found = await source.fetch(document.known)
    assert found == Unchanged(document.known)
    assert up.bytes_sent - sent < 250
    assert up.connections == 1


async def test_without_validators_the_document_comes_again(source: UrlSource, up: Upstream) -> None:
    up.file("/servers.json", BODY)
    document = await source.fetch(Known())
    assert isinstance(document, Document)
    assert document.known == Known(origin=source.origin)
    await read(document)
    assert isinstance(await source.fetch(document.known), Document)


async def test_a_304_may_renew_a_validator(source: UrlSource, up: Upstream) -> None:
    known = Known(origin=source.origin, etag='"1"', revision='"1"', last_modified="x")
    up.fault(status(304, b"", etag='W/"1"'))
    assert await source.fetch(known) == Unchanged(
        Known(origin=source.origin, etag='W/"1"', revision='"1"', last_modified="x")
    )


async def test_a_304_that_nobody_asked_for_is_an_error(source: UrlSource, up: Upstream) -> None:
    up.fault(status(304, b""))
    with pytest.raises(ThvError, match="answered 304"):
        await source.fetch(Known())


async def test_a_validator_that_cannot_be_sent_back_is_not_kept(
    source: UrlSource, up: Upstream
) -> None:
    up.file("/servers.json", BODY, etag='"' + "x" * 300 + '"')
    document = await source.fetch(Known())
    assert isinstance(document, Document)
    assert document.known.etag == ""


async def test_packed_documents_are_unpacked_and_have_no_size(
    source: UrlSource, up: Upstream
) -> None:
    up.file("/servers.json", BODY * 100, packed=True)
    assert await read(await source.fetch(Known())) == (BODY * 100, "servers.json", None)


async def test_a_redirect_is_told_without_its_query(source: UrlSource, up: Upstream) -> None:
    up.redirect("/servers.json", f"{up.url}/v2/all.json?signature=canary")
    up.file("/v2/all.json", BODY)
    document = await source.fetch(Known())
    assert isinstance(document, Document)
    assert document.known.resolved_url == f"{up.url}/v2/all.json"
    assert (await read(document))[1] == "all.json"


async def test_a_document_that_is_dropped_frees_its_connection(
    up: Upstream, client: HttpClient
) -> None:
    up.file("/servers.json", b"x" * 500_000)
    source = opened(up, client)
    for _ in range(20):  # more than a target has connections
        document = await source.fetch(Known())
        assert isinstance(document, Document)
        del document
        gc.collect()
        await asyncio.sleep(0)
    assert len((await read(await source.fetch(Known())))[0]) == 500_000


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("play", "code", "following"),
    [
        (status(401), Code.AUTHENTICATION_FAILED, Next.NEVER),
        (status(403), Code.AUTHENTICATION_FAILED, Next.NEVER),
        (status(429, retry_after="30"), Code.RATE_LIMITED, Next.WAIT),
        (status(500), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
        (reset(), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
        (truncated(), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
        (answer(b"x", content_encoding="gzip"), Code.FORMAT_INVALID, Next.NEVER),
        (
            answer(gzip.compress(BODY)[:-4], content_encoding="gzip"),
            Code.FORMAT_INVALID,
            Next.NEVER,
        ),
        (answer(b"x" * 20_000), Code.SIZE_LIMIT_EXCEEDED, Next.NEVER),
        (endless(), Code.SIZE_LIMIT_EXCEEDED, Next.NEVER),
        (bomb(8 * 1024**2), Code.SIZE_LIMIT_EXCEEDED, Next.NEVER),
        (drip(), Code.SOURCE_TIMEOUT, Next.BACKOFF),
    ],
)
async def test_every_failure_has_its_code_and_says_no_secret(
    up: Upstream, client: HttpClient, play: Play, code: Code, following: Next
) -> None:
    up.file("/servers.json", BODY)
    limits = Limits(body_bytes=10_000, total=0.1)
    auth = specs.AuthSecret(name="read")
    source = opened(up, client, "/servers.json?key=canary", limits=limits, auth_secret=auth)
    up.fault(play)
    with pytest.raises(ThvError) as caught:
        await read(await source.fetch(Known()))
    assert (caught.value.code, caught.value.next) == (code, following)
    assert "canary" not in f"{caught.value!r} {caught.value.hint} {caught.value.details}"
    assert await read(await source.fetch(Known())) == (BODY, "servers.json", len(BODY))


@pytest.mark.requirement("SYN-04")
async def test_a_private_address_is_denied_with_a_way_out(up: Upstream, client: HttpClient) -> None:
    up.file("/servers.json", BODY)
    hint = "thv registry add corp --allow-private-ip --allow-http"
    for url in (f"{up.url}/servers.json", f"https://{up.place}/", "https://169.254.169.254/"):
        source = UrlSource(specs.UrlSource(url=url), web(client, denied_hint=hint))
        with pytest.raises(ThvError) as caught:
            await source.fetch(Known())
        assert caught.value.code is Code.ADDRESS_DENIED
        never = "169.254" in url
        assert caught.value.hint == ("no setting opens this address" if never else hint)
    assert up.connections == 0


# ---------------------------------------------------------------- a registry API instead


def serve_api(up: Upstream, clock: Clock, count: int = 3) -> None:
    for number in range(count):
        up.corpus.publish(f"io.example/{number}")
    clock.pass_(hours=1)


async def test_on_404_the_api_of_the_origin_is_paged(
    source: UrlSource, up: Upstream, clock: Clock
) -> None:
    serve_api(up, clock)
    reader = Reader()
    await reader.sync(source)
    assert reader.alive() == alive_in(up.corpus)
    assert reader.known.resolved_url == f"{up.url}/v0.1/servers"
    assert reader.known.origin == source.origin
    assert [seen.path for seen in up.requests][:3] == ["/servers.json", *["/v0.1/servers"] * 2]
    del up.requests[:]
    assert isinstance(await reader.sync(source), Unchanged)
    assert [seen.path for seen in up.requests] == ["/v0.1/servers"]
    assert "updated_since" in up.requests[0].query


async def test_a_half_read_api_goes_on(source: UrlSource, up: Upstream, clock: Clock) -> None:
    serve_api(up, clock, 6)
    up.fault(reset(), path="/v0.1", after=2, times=4)
    reader = Reader()
    with pytest.raises(ThvError):
        await reader.sync(source)
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert fetched.resumed
    assert reader.alive() == alive_in(up.corpus)


async def test_a_body_that_is_no_document_leads_to_the_api_on_request(
    up: Upstream, client: HttpClient, clock: Clock
) -> None:
    serve_api(up, clock)
    up.file("/", b"<html>Welcome</html>", content_type="text/html")
    source = opened(up, client, "/", clock=clock)
    assert (await read(await source.fetch(Known())))[0] == b"<html>Welcome</html>"
    pages = await source.discover()
    assert pages is not None
    assert pages.complete
    names = [page async for page in pages.pages]
    assert sum(len(page.items) for page in names) == 3
    assert isinstance(await source.fetch(names[-1].known), Unchanged)


@pytest.mark.parametrize(
    "play",
    [status(404), status(401), status(500), answer(b"<html>"), reset()],
)
async def test_where_there_is_no_api_either_nothing_is_found(
    source: UrlSource, up: Upstream, play: Play
) -> None:
    up.fault(play, path="/v0.1", times=-1)
    with pytest.raises(ThvError, match=r"/servers\.json answered 404") as caught:
        await source.fetch(Known())
    assert caught.value.code is Code.SOURCE_NOT_FOUND
    assert "registry API" in caught.value.hint
    assert len(up.requests) == 2
    assert await source.discover() is None


async def test_the_probe_contacts_no_other_origin(up: Upstream, client: HttpClient) -> None:
    with Upstream() as other:
        other.corpus.publish("io.example/x")
        up.redirect("/v0.1/servers", f"{other.url}/v0.1/servers")
        spec = specs.UrlSource(url=up.url + "/servers.json")
        source = UrlSource(spec, web(client, [up.place, other.place]))
        with pytest.raises(ThvError):
            await source.fetch(Known())
        assert other.connections == 0


async def test_an_api_that_goes_away_makes_room_for_the_document(
    source: UrlSource, up: Upstream, clock: Clock
) -> None:
    serve_api(up, clock)
    reader = Reader()
    await reader.sync(source)
    up.generations = ()
    up.file("/servers.json", BODY)
    document = await source.fetch(reader.known)
    assert (await read(document))[0] == BODY
    assert isinstance(document, Document)
    assert document.known.resolved_url == ""


@pytest.mark.parametrize("path", ["/v0.1/servers", "/v0/servers"])
async def test_a_url_that_names_an_api_is_paged_at_once(
    up: Upstream, client: HttpClient, clock: Clock, path: str
) -> None:
    serve_api(up, clock)
    source, reader = opened(up, client, path, clock=clock), Reader()
    await reader.sync(source)
    assert reader.alive() == alive_in(up.corpus)
    assert (reader.known.resolved_url, {seen.path for seen in up.requests}) == ("", {path})


async def test_the_secret_goes_to_the_api_as_well(
    up: Upstream, client: HttpClient, clock: Clock
) -> None:
    serve_api(up, clock)
    up.needs = ("Authorization", "Bearer canary")
    source = opened(up, client, auth_secret=specs.AuthSecret(name="read"), clock=clock)
    reader = Reader()
    await reader.sync(source)
    assert reader.alive() == alive_in(up.corpus)


async def test_an_api_that_fails_for_now_is_not_forgotten(
    source: UrlSource, up: Upstream, clock: Clock
) -> None:
    serve_api(up, clock)
    reader = Reader()
    await reader.sync(source)
    up.file("/servers.json", BODY)
    up.fault(status(500), times=4)
    with pytest.raises(ThvError, match="answered 500"):
        await source.fetch(reader.known)
    assert isinstance(await source.fetch(reader.known), Unchanged)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("https://h.example/r/ns/corp/api/v1/servers", "/r/ns/corp/v0.1/servers"),
        ("https://h.example/api/v1/servers/", "/v0.1/servers"),
        ("https://h.example/mirror/v0/servers", "/mirror/v0/servers"),
        ("https://h.example/lists/servers.json", "/v0.1/servers"),
    ],
)
def test_the_api_beside_our_own_list_is_found(given: str, place: str) -> None:
    assert api_of(parse_url(given)).url.path == place
