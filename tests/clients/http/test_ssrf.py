"""No byte reaches a place that is denied, whatever the URL, the name server, a redirect or a proxy says."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import httpcore2
import pytest

from tests.clients.http.places import CA, ForwardProxy, Names, Tripwire, serving, tripwire
from tests.clients.http.test_guard import METADATA, NEVER, OPENABLE, ends
from tests.upstream import Upstream, status
from thv.clients.http.client import HttpClient, HttpSettings
from thv.clients.http.errors import (
    AddressDeniedError,
    HttpError,
    ProxyFailedError,
    RedirectRefusedError,
    UrlInvalidError,
)
from thv.clients.http.guard import NOTHING, AllowList, Credential
from thv.clients.http.proxy import Proxy

pytestmark = [pytest.mark.anyio, pytest.mark.flows, pytest.mark.requirement("SYN-04")]


class Dials(httpcore2.AsyncNetworkBackend):
    """Remembers every address to which a socket was opened."""

    def __init__(self) -> None:
        self.to: list[str] = []

    async def connect_tcp(
        self, host: str, port: int, *_: Any, **__: Any
    ) -> httpcore2.AsyncNetworkStream:
        self.to.append(host)
        return await httpcore2.AnyIOBackend().connect_tcp(host, port)


async def refused(
    client: HttpClient,
    url: str,
    error: type[HttpError] = AddressDeniedError,
    *,
    allow: AllowList = NOTHING,
) -> HttpError:
    with pytest.raises(error) as caught:
        async with client.get(url, allow=allow, credentials=[Credential((("X-Key", "canary"),))]):
            pass
    return caught.value


DENIED = sorted({*ends(NEVER), *ends(OPENABLE), *METADATA})


@pytest.mark.parametrize("address", DENIED)
async def test_no_socket_is_opened_to_a_denied_address(address: str) -> None:
    names, dials = Names(), Dials()
    names.say("named.test", address)
    names.say("mixed.test", ["1.1.1.1", address])
    literal = f"[{address}]" if ":" in address else address
    async with HttpClient(resolve=names, dial=dials) as client:
        for host in (literal, "named.test", "mixed.test"):
            await refused(client, f"https://{host}/")
    assert dials.to == []


@pytest.mark.parametrize("address", sorted({*ends(NEVER), *METADATA}))
async def test_the_allow_list_opens_no_address_that_is_never_reached(address: str) -> None:
    names, dials = Names(), Dials()
    names.say("named.test", address)
    literal = f"[{address}]" if ":" in address else address
    opened = AllowList.parse([f"{literal}:*", "named.test:*"])
    async with HttpClient(resolve=names, dial=dials) as client:
        for host in (literal, "named.test"):
            for scheme in ("http", "https"):
                error = await refused(client, f"{scheme}://{host}/", allow=opened)
                assert isinstance(error, AddressDeniedError)
                assert not error.openable
    assert dials.to == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "127.1",
        "127.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST.",
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020.0.1",
        "a@127.0.0.1",
        "a.test:80@127.0.0.1",
        "a.test\\@127.0.0.1",
        "a.test%40127.0.0.1",
    ],
)
async def test_no_spelling_of_loopback_gets_through(host: str) -> None:
    with tripwire("127.0.0.1") as wire:
        async with HttpClient() as client:
            for scheme in ("http", "https"):
                error = await refused(client, f"{scheme}://{host}:{wire.port}/", HttpError)
                assert isinstance(error, AddressDeniedError | UrlInvalidError)


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as opened:
        yield opened


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_judged_like_a_first_url(
    client: HttpClient, up: Upstream, code: int
) -> None:
    with tripwire("127.0.0.2") as wire:
        for number, target in enumerate(
            [
                f"http://127.0.0.2:{wire.port}/",
                f"//127.0.0.2:{wire.port}/",
                f"https://127.0.0.2:{wire.port}/",
            ]
        ):
            up.redirect(f"/{number}", target, code)
            await refused(client, f"{up.url}/{number}", allow=AllowList.parse([up.place]))


async def test_a_chain_of_redirects_is_judged_hop_by_hop(
    client: HttpClient, names: Names, up: Upstream
) -> None:
    names.say("hop.test", "127.0.0.1")
    names.say("inner.test", "127.0.0.2")
    opened = AllowList.parse([up.place, f"hop.test:{up.port}"])
    with tripwire("127.0.0.2") as wire:
        up.redirect("/1", f"http://hop.test:{up.port}/2", 307)
        up.redirect("/2", f"http://inner.test:{wire.port}/3", 302)
        error = await refused(client, f"{up.url}/1", allow=opened)
    assert "inner.test" in str(error)
    assert len(up.requests) == 2


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "gopher://127.0.0.1/", "http://127.1/", "http://u:canary@a.test/"],
)
async def test_a_redirect_to_no_plain_url_is_refused(
    client: HttpClient, up: Upstream, location: str
) -> None:
    up.redirect("/1", location)
    error = await refused(
        client, f"{up.url}/1", RedirectRefusedError, allow=AllowList.parse([up.place])
    )
    assert "canary" not in str(error)


async def test_a_name_is_resolved_once_and_connected_as_checked(names: Names, up: Upstream) -> None:
    names.say("rebind.test", "127.0.0.1", "169.254.169.254", "127.0.0.3")
    up.file("/doc", b"ok")
    opened = AllowList.parse([f"rebind.test:{up.port}"])
    dials = Dials()
    with tripwire("127.0.0.3", up.port):
        async with HttpClient(resolve=names, dial=dials) as client:
            for _ in range(3):  # a kept connection goes on to where it was made to
                async with client.get(
                    f"http://rebind.test:{up.port}/doc", allow=opened
                ) as response:
                    assert await response.body() == b"ok"
    assert (names.asked, dials.to) == (["rebind.test"], ["127.0.0.1"])


async def test_a_new_connection_judges_the_new_answer(names: Names, up: Upstream) -> None:
    names.say("rebind.test", "127.0.0.1", "169.254.169.254")
    up.fault(status(200, connection="close"), times=-1)
    opened = AllowList.parse([f"rebind.test:{up.port}"])
    dials = Dials()
    async with HttpClient(resolve=names, dial=dials) as client:
        async with client.get(f"http://rebind.test:{up.port}/doc", allow=opened) as response:
            await response.body()
        await refused(client, f"http://rebind.test:{up.port}/doc", allow=opened)
    assert dials.to == ["127.0.0.1"]


async def test_an_entry_for_one_port_opens_no_other(client: HttpClient, up: Upstream) -> None:
    with tripwire("127.0.0.1") as wire:
        await refused(client, f"http://127.0.0.1:{wire.port}/", allow=AllowList.parse([up.place]))


async def test_a_public_name_may_not_lead_inside_by_an_entry_for_the_address(
    client: HttpClient, names: Names
) -> None:
    with tripwire("127.0.0.1") as wire:
        names.say("outside.test", "127.0.0.1")
        opened = AllowList.parse([f"127.0.0.1:{wire.port}"])
        await refused(client, f"https://outside.test:{wire.port}/", allow=opened)


# ---------------------------------------------------------------- proxies


async def test_proxies_of_the_environment_are_ignored(
    client: HttpClient, up: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    up.file("/doc", b"ok")
    with tripwire("127.0.0.1") as wire:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setitem(os.environ, name, f"http://127.0.0.1:{wire.port}")
            monkeypatch.setitem(os.environ, name.upper(), f"http://127.0.0.1:{wire.port}")
        async with client.get(up.url + "/doc", allow=AllowList.parse([up.place])) as response:
            assert await response.body() == b"ok"


def behind(proxy: ForwardProxy, names: Names, **settings: object) -> HttpClient:
    chosen = Proxy(url=f"http://proxy.test:{proxy.port}", **settings)  # type: ignore[arg-type]
    names.say("proxy.test", "127.0.0.1")
    return HttpClient(resolve=names, settings=HttpSettings(proxy=chosen))


async def test_an_explicit_proxy_is_connected_instead(names: Names) -> None:
    with Upstream(tls=serving("good.pem")) as secure:
        secure.file("/doc", b"through")
        async with ForwardProxy().running() as proxy:
            async with behind(proxy, names, username="me", password="canary") as client:
                # The name has no address here; the proxy resolves it.
                url = f"https://good.test:{secure.port}/doc"
                async with client.get(url, trust=CA) as response:
                    assert await response.body() == b"through"
                place = AllowList.parse(["plain.test:80"])
                async with client.get("http://plain.test/x", allow=place) as response:
                    assert await response.body() == b"proxy"
            assert proxy.asked == [
                f"CONNECT good.test:{secure.port}",
                "GET http://plain.test:80/x",
            ]
            assert "proxy-authorization: basic" in proxy.heads[0].lower()
            assert "authorization" not in str(secure.requests).lower()


async def test_behind_a_proxy_what_resolves_here_is_still_judged(names: Names) -> None:
    names.say("inside.test", "10.0.0.1")
    async with ForwardProxy().running() as proxy, behind(proxy, names) as client:
        for url in ("https://inside.test/", "https://169.254.169.254/", "https://127.0.0.1/"):
            await refused(client, url)
        await refused(client, "http://unknown.test/")
        for url in ("https://metadata.google.internal/", "https://jenkins/"):
            await refused(client, url)
        assert proxy.asked == []


async def test_behind_a_proxy_nobody_waits_for_a_resolver_that_does_not_answer(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thv.clients.http.resolve._PATIENCE_BEHIND_PROXY", 0.01)

    async def silent(host: str, port: int) -> Sequence[str]:
        if host == "outside.test":
            await asyncio.Event().wait()
        return await names(host, port)

    async with ForwardProxy().running() as proxy:
        names.say("proxy.test", "127.0.0.1")
        chosen = Proxy(url=f"http://proxy.test:{proxy.port}")
        place = AllowList.parse(["outside.test:80"])
        async with (
            HttpClient(resolve=silent, settings=HttpSettings(proxy=chosen)) as client,
            client.get("http://outside.test/x", allow=place) as response,
        ):
            assert await response.body() == b"proxy"


async def test_a_proxy_that_refuses_is_named(names: Names) -> None:
    async with ForwardProxy().running() as proxy:
        proxy.refuses = True
        async with behind(proxy, names) as client:
            error = await refused(client, "https://a.test/", ProxyFailedError)
    assert "407" in str(error)


async def test_hosts_may_be_reached_without_the_proxy(names: Names, up: Upstream) -> None:
    up.file("/doc", b"direct")
    names.say("in.corp.test", "127.0.0.1")
    async with ForwardProxy().running() as proxy:
        async with behind(proxy, names, direct=("*.corp.test",)) as client:
            place = f"in.corp.test:{up.port}"
            async with client.get(
                f"http://{place}/doc", allow=AllowList.parse([place])
            ) as response:
                assert await response.body() == b"direct"
        assert proxy.asked == []


async def test_a_proxy_at_a_metadata_address_is_no_proxy(names: Names) -> None:
    settings = HttpSettings(proxy=Proxy(url="http://169.254.169.254:3128"))
    async with HttpClient(resolve=names, settings=settings) as client:
        await refused(client, "https://a.test/")


# ---------------------------------------------------------------- the canary


@pytest.mark.requirement("OPS-07")
async def test_no_secret_in_errors_logs_or_representations(
    names: Names, up: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = Credential((("Authorization", "Bearer canary"), ("X-Key", "canary")))
    proxy = Proxy(url="http://127.0.0.1:1", username="me", password="canary")
    texts = [repr(secret), repr(proxy), repr(HttpSettings(proxy=proxy))]
    up.redirect("/away", "http://10.0.0.1/?token=canary")
    up.redirect("/echo", "/doc?token=canary")
    up.fault(status(500, set_cookie="canary", x_echo="canary"), path="/doc", times=-1)
    up.fault(status(429, retry_after="canary"), path="/limited", times=-1)
    wrong = Credential((("X-Key", "canary\r\nX-Other: canary"),))
    async with HttpClient(resolve=names) as client:
        for path, credential in [
            ("/away?token=canary", secret),
            ("/echo?token=canary", secret),
            ("/limited?token=canary", secret),
            ("/x", wrong),
            ("@canary", secret),
        ]:
            try:
                async with client.get(
                    up.url + path, credentials=[credential], allow=AllowList.parse([up.place])
                ) as response:
                    texts += [repr(response), str(response.url), repr(response.url)]
                    response.require(200)
            except HttpError as e:
                texts += [repr(e), str(e), *traceback.format_exception(e)]
        texts.append(repr(client))
    texts += [record.getMessage() for record in caplog.records]
    assert len(texts) > 12
    assert "canary" not in _without_source("\n".join(texts))


def test_the_tripwire_would_tell() -> None:
    wire = Tripwire("127.0.0.9")
    try:
        socket.create_connection(("127.0.0.9", wire.port)).close()
        assert wire.visitors() == 1
    finally:
        wire.close()


def _without_source(text: str) -> str:
    """Tracebacks quote this very file, which spells the canary."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("    "))
