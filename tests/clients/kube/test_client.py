"""Requests: what is sent, what comes back, and what happens when something else comes back."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.clients.http.places import TLS
from tests.clients.http.places import serving as with_certificate
from tests.clients.kube.server import Request, Script, Server, Wire, serving, status
from thv.clients.kube.client import KubeClient, Limits
from thv.clients.kube.config import Access, connect
from thv.clients.kube.errors import UNREADABLE, KubeError, KubeUnreachableError

pytestmark = [pytest.mark.anyio, pytest.mark.flows]

PATH = "/api/v1/namespaces/team/configmaps"
USUAL = Limits()


@asynccontextmanager
async def against(
    script: Script, limits: Limits = USUAL, **cluster: object
) -> AsyncIterator[tuple[KubeClient, Server]]:
    """A client of a server that answers as scripted."""
    async with serving(script) as server:
        access = Access(cluster={"server": server.url, **cluster}, user={})
        client = connect(access, {}, limits)
        try:
            yield client, server
        finally:
            await client.close()


async def fine(_: Request, wire: Wire) -> None:
    await wire.say(200, {"kind": "ConfigMap"})


# ---------------------------------------------------------------- what is sent


async def test_a_request_carries_query_body_and_what_it_accepts() -> None:
    async with against(fine) as (client, server):
        answer = await client.request(
            "PATCH",
            f"{PATH}/a",
            query={"fieldManager": "toolhive-registry", "force": "true"},
            body={"data": {"ä": "1"}},
            content_type="application/apply-patch+yaml",
            accept="application/json;as=Table",
        )
    assert answer == {"kind": "ConfigMap"}
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("PATCH", f"{PATH}/a")
    assert asked.query == {"fieldManager": "toolhive-registry", "force": "true"}
    assert asked.json == {"data": {"ä": "1"}}
    assert asked.headers["content-type"] == "application/apply-patch+yaml"
    assert asked.headers["accept"] == "application/json;as=Table"
    assert asked.headers["user-agent"].startswith("toolhive-registry")
    assert "authorization" not in asked.headers


async def test_the_path_of_the_server_is_kept() -> None:
    async with serving(fine) as server:
        behind = Access(cluster={"server": f"{server.url}/k8s/clusters/c-1"}, user={})
        client = connect(behind, {})
        await client.request("GET", "/version")
        await client.close()
    assert server.asked[0].path == "/k8s/clusters/c-1/version"


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with against(fine) as (client, _):
        assert await client.request("GET", "/version")


async def test_the_proxy_of_the_kubeconfig_is_used() -> None:
    async with serving(fine) as proxy:
        cluster = {"server": "http://cluster.invalid", "proxy-url": proxy.url}
        client = connect(Access(cluster=cluster, user={}), {})
        await client.request("GET", "/version")
        await client.close()
    assert proxy.asked[0].headers["host"] == "cluster.invalid"


async def test_only_so_many_requests_are_under_way() -> None:
    under_way, most = 0, 0

    async def script(_: Request, wire: Wire) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        await wire.say(200, {})

    async with against(script, Limits(requests=2)) as (client, server):
        await asyncio.gather(*(client.request("GET", PATH) for _ in range(12)))
    assert (most, len(server.asked)) == (2, 12)


# ---------------------------------------------------------------- refusals


async def refusal(script: Script, method: str = "GET", limits: Limits = USUAL) -> KubeError:
    async with against(script, limits) as (client, _):
        with pytest.raises(KubeError) as error:
            await client.request(method, PATH)
    return error.value


def always(code: int, body: object, **headers: str) -> Script:
    async def script(_: Request, wire: Wire) -> None:
        await wire.say(code, body, {k.replace("_", "-"): v for k, v in headers.items()})

    return script


async def test_a_refusal_tells_what_the_status_says() -> None:
    said = status(404, "NotFound", 'configmaps "a" not found', name="a", kind="configmaps")
    error = await refusal(always(404, said))
    assert (error.status, error.reason) == (404, "NotFound")
    assert error.message == 'configmaps "a" not found'
    assert error.details == {"name": "a", "kind": "configmaps"}


async def test_a_refusal_that_is_no_status_shows_its_beginning() -> None:
    error = await refusal(always(502, b"<html>\n" + b"x" * 5000))
    assert (error.status, error.reason) == (502, "")
    assert error.message.startswith(f"GET {PATH}: 502 <html> xxx")
    assert len(error.message) < 300


@pytest.mark.parametrize("body", [b"", b"OK", b"[1]", b'{"a": ', b"\xff\xfe", b"null"])
async def test_an_answer_that_is_no_object_is_unreadable(body: bytes) -> None:
    assert (await refusal(always(200, body))).reason == UNREADABLE


async def test_an_answer_is_unpacked() -> None:
    packed = gzip.compress(b'{"kind":"List"}')
    async with against(always(200, packed, Content_Encoding="gzip")) as (client, server):
        assert await client.request("GET", PATH) == {"kind": "List"}
        assert server.asked[0].headers["accept-encoding"] == "gzip"


async def test_a_damaged_packed_answer_is_unreadable() -> None:
    packed = gzip.compress(b'{"kind":"List"}')[:-4]
    assert (await refusal(always(200, packed, Content_Encoding="gzip"))).reason == UNREADABLE


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_too_large_is_not_kept(packed: bool) -> None:
    body = b'{"a":"' + b"x" * 10_000_000 + b'"}'
    headers = {"Content_Encoding": "gzip"} if packed else {}
    script = always(200, gzip.compress(body, 1) if packed else body, **headers)
    error = await refusal(script, limits=Limits(body=1_000_000))
    assert error.reason == UNREADABLE
    assert "more than 1,000,000 bytes" in error.message


# ---------------------------------------------------------------- trying again


def first(times: int, script: Script) -> Script:
    """Does that so often, and then answers well."""
    left = times

    async def both(request: Request, wire: Wire) -> None:
        nonlocal left
        left -= 1
        await (script if left >= 0 else fine)(request, wire)

    return both


BUSY = status(429, "TooManyRequests", "too many requests", retryAfterSeconds=1)


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize("code", [429, 503])
async def test_a_server_that_asks_to_wait_a_little_is_asked_again(method: str, code: int) -> None:
    script = first(2, always(code, BUSY, Retry_After="0"))
    async with against(script) as (client, server):
        assert await client.request(method, PATH, body={"a": 1})
    assert len(server.asked) == 3
    assert {asked.body for asked in server.asked} == {b'{"a":1}'}


async def test_a_server_that_is_busy_for_ever_is_not_asked_for_ever() -> None:
    async with against(always(429, BUSY, Retry_After="0")) as (client, server):
        with pytest.raises(KubeError) as error:
            await client.request("GET", PATH)
    assert (error.value.status, error.value.retry_after) == (429, 0.0)
    assert len(server.asked) == 4


async def test_a_long_wait_is_the_callers() -> None:
    async with against(always(429, BUSY, Retry_After="60")) as (client, server):
        with pytest.raises(KubeError) as error:
            await client.request("GET", PATH)
    assert (error.value.retry_after, len(server.asked)) == (60.0, 1)


async def test_a_wait_may_be_a_date_or_stand_in_the_status() -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    error = await refusal(always(503, b"", Retry_After=format_datetime(later, usegmt=True)))
    assert error.retry_after is not None
    assert 80 < error.retry_after <= 90
    quiet = Limits(patience=0.0)
    assert (await refusal(always(429, BUSY), limits=quiet)).retry_after == 1.0
    assert (await refusal(always(429, BUSY, Retry_After="soon"), limits=quiet)).retry_after is None


async def test_a_failure_without_a_wait_is_told_at_once() -> None:
    async with against(always(500, status(500, "InternalError", "no"))) as (client, server):
        with pytest.raises(KubeError):
            await client.request("GET", PATH)
    assert len(server.asked) == 1


async def _reset(_: Request, wire: Wire) -> None:
    wire.reset()


async def test_a_read_whose_connection_breaks_is_sent_again() -> None:
    async with against(first(2, _reset)) as (client, server):
        assert await client.request("GET", PATH)
    assert len(server.asked) == 3


async def test_a_write_whose_connection_breaks_is_not_sent_again() -> None:
    async with against(first(1, _reset)) as (client, server):
        with pytest.raises(KubeUnreachableError, match=f"broke at POST {PATH}") as error:
            await client.request("POST", PATH, body={})
    assert error.value.broken
    assert len(server.asked) == 1


async def test_half_an_answer_is_none() -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.open()
        await wire.piece(b'{"kind":')
        wire.reset()

    async with against(script) as (client, server):
        with pytest.raises(KubeUnreachableError):
            await client.request("GET", PATH)
    assert len(server.asked) == 4


# ---------------------------------------------------------------- time


@pytest.mark.parametrize("begins", [False, True])
async def test_a_server_that_stalls_is_left(begins: bool) -> None:
    async def script(_: Request, wire: Wire) -> None:
        if begins:
            await wire.open()
            await wire.piece(b'{"kind":')
        await wire.stall()

    async with against(script) as (client, server):
        with pytest.raises(KubeUnreachableError, match=r"no complete answer .* within 0\.1 s"):
            await client.request("GET", PATH, timeout=0.1)
        await server.left.wait()


async def test_a_cancelled_request_leaves_no_connection_behind() -> None:
    async def script(_: Request, wire: Wire) -> None:
        asked.set()
        await wire.stall()

    asked = asyncio.Event()
    async with against(script) as (client, server):
        task = asyncio.create_task(client.request("GET", PATH))
        await asked.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await server.left.wait()


async def test_closing_the_client_ends_what_is_under_way() -> None:
    async def script(_: Request, wire: Wire) -> None:
        asked.set()
        await wire.stall()

    asked = asyncio.Event()
    async with against(script) as (client, _):
        task = asyncio.create_task(client.request("GET", PATH))
        await asked.wait()
        await client.close()
        with pytest.raises(KubeUnreachableError, match="was closed"):
            await task
        with pytest.raises(KubeUnreachableError, match="was closed"):
            await client.request("GET", PATH)


# ---------------------------------------------------------------- no connection


async def test_a_server_that_is_away_is_told_with_its_address() -> None:
    async with serving(fine) as server:
        pass
    client = connect(Access(cluster={"server": server.url}, user={}), {})
    with pytest.raises(KubeUnreachableError, match=f"{server.url}: connection refused") as error:
        await client.request("GET", PATH)
    assert not error.value.broken
    await client.close()


async def test_a_name_without_address_is_told() -> None:
    client = connect(Access(cluster={"server": "https://cluster.invalid:6443"}, user={}), {})
    with pytest.raises(
        KubeUnreachableError, match=r"cluster\.invalid:6443: its name has no address"
    ):
        await client.request("GET", PATH)
    await client.close()


async def _get_over_tls(certificate: str, **cluster: object) -> Server:
    async with serving(fine, tls=with_certificate(certificate)) as server:
        client = connect(Access(cluster={"server": server.url, **cluster}, user={}), {})
        try:
            await client.request("GET", "/version")
        finally:
            await client.close()
    return server


AUTHORITY = {"certificate-authority": str(TLS / "ca.pem")}


@pytest.mark.parametrize(
    ("certificate", "cluster", "why"),
    [
        ("good.pem", {}, "its certificate is not valid"),
        ("good.pem", {**AUTHORITY, "tls-server-name": "wrong.test"}, "Hostname mismatch"),
        ("expired.pem", AUTHORITY, "certificate has expired"),
    ],
)
async def test_a_certificate_that_does_not_fit_is_refused(
    certificate: str, cluster: dict[str, str], why: str
) -> None:
    with pytest.raises(KubeUnreachableError, match=why):
        await _get_over_tls(certificate, **cluster)


@pytest.mark.parametrize("name", ["", "other.test"])
async def test_the_kubeconfig_may_name_the_certificate(name: str) -> None:
    server = await _get_over_tls("good.pem", **{**AUTHORITY, "tls-server-name": name})
    assert server.asked


async def test_verification_can_be_switched_off_by_the_kubeconfig() -> None:
    assert (await _get_over_tls("expired.pem", **{"insecure-skip-tls-verify": True})).asked
