"""The client against a real server on loopback; what it must not reach is in `test_ssrf.py`."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest

from tests.clients.http.places import CA, Names, serving
from tests.upstream import (
    Play,
    Upstream,
    answer,
    bomb,
    drip,
    endless,
    endless_nothing,
    large_headers,
    reset,
    stall,
    status,
    truncated,
)
from thv.clients.http.client import HttpClient, HttpSettings
from thv.clients.http.errors import (
    AddressDeniedError,
    BrokenError,
    ConnectError,
    DecodingError,
    HttpError,
    NameUnknownError,
    RedirectRefusedError,
    StatusError,
    TimedOutError,
    TlsError,
    TooLargeError,
    TooManyRedirectsError,
)
from thv.clients.http.guard import AllowList, Credential
from thv.clients.http.resolve import resolve_by_system
from thv.clients.http.response import Limits

pytestmark = [pytest.mark.anyio, pytest.mark.flows]

MIB = 1024 * 1024


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as opened:
        opened.file("/doc", b'{"hello": "world"}', etag='"1"')
        yield opened


def allow(*upstreams: Upstream) -> AllowList:
    return AllowList.parse(upstream.place for upstream in upstreams)


async def body_of(client: HttpClient, up: Upstream, path: str = "/doc", **limits: float) -> bytes:
    bounds = Limits(**limits)  # type: ignore[arg-type]
    async with client.get(up.url + path, allow=allow(up), limits=bounds) as response:
        response.require(200)
        return await response.body()


# ---------------------------------------------------------------- answers


async def test_a_document_comes_with_status_headers_and_place(
    client: HttpClient, up: Upstream
) -> None:
    async with client.get(
        up.url + "/doc?a=b", headers={"Accept": "x/y"}, allow=allow(up)
    ) as response:
        assert (response.status, response.headers["etag"], response.size) == (200, '"1"', 18)
        assert (response.url.text, response.redirected) == (up.url + "/doc?a=b", False)
        assert await response.body() == b'{"hello": "world"}'
    sent = up.requests[0].headers
    assert sent == {
        "host": up.place,
        "accept": "x/y",
        "accept-encoding": "gzip",
        "user-agent": "toolhive-registry",
    }


async def test_a_thousand_pages_take_one_connection(client: HttpClient, up: Upstream) -> None:
    for number in range(1000):
        up.file("/page", b"%d" % number)
        assert await body_of(client, up, "/page") == b"%d" % number
    assert up.connections == 1


async def test_short_refusals_do_not_cost_the_connection(client: HttpClient, up: Upstream) -> None:
    for path, known in (("/doc", '"1"'), ("/missing", ""), ("/doc", '"1"')):
        async with client.get(
            up.url + path, headers={"If-None-Match": known}, allow=allow(up)
        ) as response:
            assert response.status in (304, 404)
    assert up.connections == 1


async def test_a_body_left_unread_costs_only_its_connection(
    client: HttpClient, up: Upstream
) -> None:
    up.fault(endless(), times=3)
    for _ in range(3):
        async with client.get(up.url + "/doc", allow=allow(up)) as response:
            async for _chunk in response.chunks():
                break
    assert await body_of(client, up) == b'{"hello": "world"}'


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
async def test_packed_bodies_are_unpacked(client: HttpClient, up: Upstream, coding: str) -> None:
    pack: Callable[[bytes], bytes] = zlib.compress if coding == "deflate" else gzip.compress
    up.fault(answer(pack(b"x" * MIB), content_encoding=coding))
    assert await body_of(client, up) == b"x" * MIB


async def test_status_errors_carry_what_to_do_next(client: HttpClient, up: Upstream) -> None:
    up.fault(status(429, retry_after="7"))
    with pytest.raises(StatusError, match=r"/doc answered 429$") as caught:
        await body_of(client, up, "/doc?token=secret")
    assert (caught.value.status, caught.value.retry_after) == (429, "7")


# ---------------------------------------------------------------- bounds


async def test_the_default_limit_of_redirects_is_five(client: HttpClient, up: Upstream) -> None:
    for number in range(7):
        up.redirect(f"/{number}", f"/{number + 1}")
    up.file("/7", b"there")
    assert await body_of(client, up, "/2") == b"there"
    with pytest.raises(TooManyRedirectsError):
        await body_of(client, up, "/1")
    assert len(up.seen("/1")) == 1


async def test_a_circle_of_redirects_ends(client: HttpClient, up: Upstream) -> None:
    up.redirect("/a", "/b")
    up.redirect("/b", "/a")
    with pytest.raises(TooManyRedirectsError):
        await body_of(client, up, "/a")
    assert len(up.requests) == 6


TOO_LARGE: dict[str, Play] = {
    "bomb": bomb(512 * MIB),
    "endless": endless(),
    "endless-nothing": endless_nothing(),
    "honest": answer(b"x" * (2 * MIB)),
    "headers": large_headers(80_000),
    "more-headers": large_headers(300_000),
}


@pytest.mark.parametrize("kind", TOO_LARGE)
async def test_too_much_ends_at_the_limit_in_little_memory(
    client: HttpClient, up: Upstream, kind: str
) -> None:
    up.fault(TOO_LARGE[kind])
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError) as caught:
            await drop_body(client, up)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.limit <= MIB
    assert peak < 6 * MIB


async def drop_body(client: HttpClient, up: Upstream) -> None:
    async with client.get(
        up.url + "/doc", allow=allow(up), limits=Limits(body_bytes=MIB)
    ) as response:
        async for _ in response.chunks():
            pass


async def test_exactly_the_limit_passes(client: HttpClient, up: Upstream) -> None:
    up.file("/exact", b"x" * 5000)
    assert len(await body_of(client, up, "/exact", body_bytes=5000)) == 5000
    with pytest.raises(TooLargeError, match="more than 4,999 bytes"):
        await body_of(client, up, "/exact", body_bytes=4999)


async def test_a_slow_drip_ends_at_the_deadline(client: HttpClient, up: Upstream) -> None:
    up.file("/long", b"x" * 100_000)
    up.fault(drip(0.005))
    with pytest.raises(TimedOutError, match=r"no complete answer within 0\.1 s"):
        await body_of(client, up, "/long", total=0.1)


async def test_silence_ends_at_the_read_limit(client: HttpClient, up: Upstream) -> None:
    up.fault(stall())
    with pytest.raises(TimedOutError, match="did not answer in time"):
        await body_of(client, up, read=0.05)


async def test_silence_through_redirects_shares_one_deadline(
    client: HttpClient, up: Upstream
) -> None:
    up.latency = 0.04
    for number in range(5):
        up.redirect(f"/{number}", f"/{number + 1}")
    with pytest.raises(TimedOutError):
        await body_of(client, up, "/0", total=0.1)
    assert len(up.requests) <= 3


async def test_time_of_the_caller_is_not_counted(client: HttpClient, up: Upstream) -> None:
    up.file("/two", b"x" * 200_000)
    async with client.get(up.url + "/two", allow=allow(up), limits=Limits(total=0.2)) as response:
        read = 0
        async for chunk in response.chunks():
            read += len(chunk)
            if read == len(chunk):
                loop = asyncio.get_running_loop()
                done = loop.create_future()
                loop.call_later(0.25, done.set_result, None)
                await done
    assert read == 200_000


async def test_a_name_that_takes_too_long_is_a_timeout() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with HttpClient(resolve=never) as client:
        with pytest.raises(TimedOutError):
            async with client.get("https://slow.test/", limits=Limits(connect=0.05)):
                pass


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("play", "error"),
    [
        (reset(), BrokenError),
        (truncated(), BrokenError),
        (answer(b"no gzip", content_encoding="gzip"), DecodingError),
        (answer(gzip.compress(b"x" * 999)[:-9], content_encoding="gzip"), DecodingError),
        (answer(b"{}", content_encoding="br"), DecodingError),
    ],
)
async def test_a_broken_answer_says_how(
    client: HttpClient, up: Upstream, play: Play, error: type[HttpError]
) -> None:
    up.file("/doc", b"x" * 1000)
    up.fault(play)
    with pytest.raises(error) as caught:
        await body_of(client, up)
    assert f"127.0.0.1:{up.port}" in str(caught.value)
    assert await body_of(client, up) == b"x" * 1000


async def test_nobody_there(client: HttpClient, names: Names) -> None:
    with Upstream() as up:
        pass
    with pytest.raises(ConnectError, match=r"connection refused$"):
        await body_of(client, up)
    with pytest.raises(NameUnknownError, match=r"the name nowhere\.test has no address"):
        async with client.get("https://nowhere.test/"):
            pass
    names.say("empty.test", [])
    with pytest.raises(NameUnknownError):
        async with client.get("https://empty.test/"):
            pass


async def test_the_system_resolves_names() -> None:
    assert "127.0.0.1" in await resolve_by_system("localhost", 80)
    with pytest.raises(NameUnknownError):
        await resolve_by_system("a" * 64 + ".test", 80)


async def test_the_next_address_is_tried(client: HttpClient, names: Names, up: Upstream) -> None:
    names.say("two.test", ["127.0.0.77", "127.0.0.1"])
    url = f"http://two.test:{up.port}/doc"
    async with client.get(url, allow=AllowList.parse([f"two.test:{up.port}"])) as response:
        assert response.status == 200
    assert up.requests[0].headers["host"] == f"two.test:{up.port}"


# ---------------------------------------------------------------- TLS


@pytest.fixture
def secure() -> Iterator[Upstream]:
    with Upstream(tls=serving("good.pem")) as opened:
        opened.file("/doc", b"secure")
        yield opened


async def tls_status(client: HttpClient, host: str, up: Upstream, trust: bytes = CA) -> int:
    opened = AllowList.parse([f"{host}:{up.port}"])
    url = f"https://{host}:{up.port}/doc"
    async with client.get(url, allow=opened, trust=trust) as response:
        return response.status


async def test_extra_trust_roots_are_trusted(
    client: HttpClient, names: Names, secure: Upstream
) -> None:
    names.say("good.test", "127.0.0.1")
    assert await tls_status(client, "good.test", secure) == 200
    assert await tls_status(client, "127.0.0.1", secure) == 200


async def test_without_them_the_certificate_is_refused(
    client: HttpClient, names: Names, secure: Upstream
) -> None:
    names.say("good.test", "127.0.0.1")
    with pytest.raises(TlsError, match=r"certificate of good\.test is not valid"):
        await tls_status(client, "good.test", secure, trust=b"")
    assert await tls_status(client, "good.test", secure) == 200  # nobody else's trust is shared


async def test_a_certificate_for_another_name_is_refused(
    client: HttpClient, names: Names, secure: Upstream
) -> None:
    names.say("wrong.test", "127.0.0.1")
    with pytest.raises(TlsError, match="Hostname mismatch"):
        await tls_status(client, "wrong.test", secure)
    assert secure.requests == []


async def test_an_expired_certificate_is_refused(client: HttpClient, names: Names) -> None:
    names.say("good.test", "127.0.0.1")
    with Upstream(tls=serving("expired.pem")) as up, pytest.raises(TlsError, match="expired"):
        await tls_status(client, "good.test", up)


async def test_plain_text_is_no_tls(client: HttpClient) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(TlsError, match=r"no TLS with 127\.0\.0\.1: wrong version number"):
            async with client.get(f"https://{place}/", allow=AllowList.parse([place])):
                pass


async def test_trust_roots_that_are_none_are_named(client: HttpClient, secure: Upstream) -> None:
    for nonsense in (b"nonsense", "ä".encode(), b"-----BEGIN CERTIFICATE-----\nx\n"):
        with pytest.raises(TlsError, match="no PEM"):
            await tls_status(client, "127.0.0.1", secure, trust=nonsense)


# ---------------------------------------------------------------- credentials

SECRET = Credential((("Authorization", "Bearer canary"), ("X-Key", "canary")))


async def carried(
    client: HttpClient, start: str, *upstreams: Upstream, credential: Credential = SECRET
) -> None:
    async with client.get(start, credentials=[credential], allow=allow(*upstreams)) as response:
        assert response.status == 200


async def test_credentials_follow_within_their_origin(client: HttpClient, up: Upstream) -> None:
    up.redirect("/a", "/doc")
    await carried(client, up.url + "/a", up)
    assert [seen.headers["authorization"] for seen in up.requests] == ["Bearer canary"] * 2


@pytest.mark.requirement("SYN-04", "OPS-07")
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_credentials_never_leave_their_origin_nor_come_back(
    client: HttpClient, up: Upstream, code: int
) -> None:
    with Upstream() as other:
        up.redirect("/a", f"{other.url}/b", code)
        other.redirect("/b", f"{up.url}/doc", code)
        await carried(client, up.url + "/a", up, other)
        assert "canary" in str(up.requests[0])
        assert "canary" not in str(other.requests)
        assert "canary" not in str(up.requests[1])


@pytest.mark.requirement("OPS-07")
async def test_the_port_and_the_scheme_are_part_of_the_origin(
    client: HttpClient, names: Names, secure: Upstream
) -> None:
    names.say("good.test", "127.0.0.1")
    names.say("other.test", "127.0.0.1")
    opened = AllowList.parse(["good.test:*", "other.test:*"])
    with Upstream(tls=serving("good.pem")) as elsewhere:
        elsewhere.file("/doc", b"")
        secure.redirect("/port", f"https://good.test:{elsewhere.port}/doc")
        secure.redirect("/host", f"https://other.test:{secure.port}/doc")
        for path in ("/port", "/host"):
            url = f"https://good.test:{secure.port}{path}"
            async with client.get(url, credentials=[SECRET], allow=opened, trust=CA) as response:
                assert response.status == 200
        assert "canary" not in str(elsewhere.requests)
        assert "canary" not in str([seen for seen in secure.requests if seen.path == "/doc"])


async def test_the_owner_of_a_secret_may_name_other_hosts(
    client: HttpClient, names: Names, secure: Upstream
) -> None:
    names.say("good.test", "127.0.0.1")
    names.say("other.test", "127.0.0.1")
    opened = AllowList.parse(["good.test:*", "other.test:*"])
    secure.redirect("/a", f"https://other.test:{secure.port}/doc")
    named = Credential(SECRET.headers, ("other.test",))
    url = f"https://good.test:{secure.port}/a"
    async with client.get(url, credentials=[named], allow=opened, trust=CA) as response:
        assert response.status == 200
    assert secure.requests[1].headers["x-key"] == "canary"


async def test_the_last_word_on_a_header_is_the_credential(
    client: HttpClient, up: Upstream
) -> None:
    async with client.get(
        up.url + "/doc",
        headers={"authorization": "plain", "User-Agent": "me"},
        credentials=[Credential((("AUTHORIZATION", "secret"),))],
        allow=allow(up),
    ):
        pass
    assert up.requests[0].headers["authorization"] == "secret"
    assert up.requests[0].headers["user-agent"] == "me"


async def test_cookies_are_not_kept(client: HttpClient, up: Upstream) -> None:
    up.fault(answer(b"{}", set_cookie="a=b"))
    await body_of(client, up)
    await body_of(client, up)
    assert "cookie" not in up.requests[1].headers


async def test_https_never_becomes_http(client: HttpClient, secure: Upstream, up: Upstream) -> None:
    secure.redirect("/a", f"{up.url}/doc")
    with pytest.raises(RedirectRefusedError, match="from https to http"):
        async with client.get(f"{secure.url}/a", allow=allow(secure, up), trust=CA):
            pass
    assert up.connections == 0


# ---------------------------------------------------------------- pools


async def test_a_connection_is_never_used_under_another_judgement(
    client: HttpClient, up: Upstream
) -> None:
    await body_of(client, up)
    with pytest.raises(AddressDeniedError):
        async with client.get(up.url + "/doc"):
            pass
    assert len(up.requests) == 1


async def test_pools_of_many_targets_are_closed_when_unused(up: Upstream, names: Names) -> None:
    async with HttpClient(resolve=names, settings=HttpSettings(targets=2)) as client:
        for number in range(5):
            names.say(f"n{number}.test", "127.0.0.1")
            place = f"n{number}.test:{up.port}"
            async with client.get(
                f"http://{place}/doc", allow=AllowList.parse([place])
            ) as response:
                await response.body()
        assert len(client._pools._kept) == 2


async def test_more_requests_than_connections_wait(up: Upstream) -> None:
    async with HttpClient(settings=HttpSettings(connections=2)) as client:
        bodies = await asyncio.gather(*(body_of(client, up) for _ in range(10)))
    assert bodies == [b'{"hello": "world"}'] * 10
    assert up.connections <= 2


async def test_a_cancelled_request_leaves_a_working_client(
    client: HttpClient, up: Upstream
) -> None:
    up.fault(stall())
    task = asyncio.create_task(body_of(client, up))
    while not up.requests:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await body_of(client, up) == b'{"hello": "world"}'


def test_only_this_room_loads_the_http_library() -> None:
    code = (
        "import sys, thv.clients.http.guard, thv.clients.http.url, thv.clients.http.unpack, thv.sources.base;"
        "assert not any(m.startswith('httpcore2') for m in sys.modules);"
        "import thv.clients.http.client;"
        "assert 'httpcore2' in sys.modules and 'httpx2' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": "src"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


# ---------------------------------------------------------------- bodies


async def test_a_body_goes_to_one_place(client: HttpClient, up: Upstream) -> None:
    up.redirect("/moved", "/doc")
    kind = {"Content-Type": "application/json"}
    async with client.post(up.url + "/moved", b"{}", headers=kind, allow=allow(up)) as response:
        assert (response.status, response.headers["location"]) == (302, "/doc")
    (seen,) = up.requests
    assert (seen.method, seen.body) == ("POST", b"{}")
    assert (seen.headers["content-length"], seen.headers["content-type"]) == (
        "2",
        kind["Content-Type"],
    )


async def test_a_body_goes_nowhere_that_was_not_opened(client: HttpClient, up: Upstream) -> None:
    with pytest.raises(HttpError):
        async with client.post(up.url + "/doc", b"{}"):
            pass
    assert up.requests == []
