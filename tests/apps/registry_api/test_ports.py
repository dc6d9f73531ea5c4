"""Ports that open and close while a server runs, without a cluster."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.ports import free_ports
from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Reply, Request
from thv.apps.kit.http.problems import ProblemError
from thv.apps.kit.http.serve import door_of
from thv.apps.registry_api.follow import Key
from thv.apps.registry_api.ports import Ports, sockets

pytestmark = [pytest.mark.anyio, pytest.mark.flows]


class Named:
    """Says whose it is."""

    def __init__(self, key: Key) -> None:
        self._body = key[1].encode()

    def respond(self, _request: Request, _context: Context) -> Reply:
        return Reply(200, [(b"content-length", b"%d" % len(self._body))], self._body)

    def refuse(self, _request: Request, _context: Context, _problem: ProblemError) -> Reply:
        return Reply(400, [(b"content-length", b"0")], b"")

    def done(self, _request: Request, _context: Context, *, sent: bool) -> None:
        assert sent


@asynccontextmanager
async def running(ports: Ports) -> AsyncIterator[None]:
    server = door_of(ports)
    work = [asyncio.ensure_future(server.serve([])), asyncio.ensure_future(ports.run(server))]
    try:
        yield
    finally:
        server.should_exit = True
        await work[0]
        work[1].cancel()
        with suppress(asyncio.CancelledError):
            await work[1]


async def settled(ports: Ports) -> None:
    async with asyncio.timeout(10):
        while not ports.is_at_rest:  # noqa: ASYNC110 # it tells nobody
            await asyncio.sleep(0.01)


async def asked(port: int) -> str:
    """Who answers there, `""` for nobody."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return ""
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.rpartition(b"\r\n\r\n")[2].decode()


async def test_ports_follow_what_is_wanted() -> None:
    one, two = free_ports(2)
    ports = Ports("127.0.0.1", Named)
    async with running(ports):
        ports.want(("team", "a"), one)
        ports.want(("team", "b"), two)
        await settled(ports)
        assert (await asked(one), await asked(two)) == ("a", "b")
        ports.want(("team", "a"), two)
        ports.want(("team", "b"), one)
        await settled(ports)
        assert (await asked(one), await asked(two)) == ("b", "a")
        ports.want(("team", "a"), None)
        ports.want(("team", "unknown"), None)
        await settled(ports)
        assert (await asked(one), await asked(two)) == ("b", "")


async def test_hundreds_of_ports_open_and_close_again() -> None:
    numbers = free_ports(300)
    ports = Ports("127.0.0.1", Named)
    async with running(ports):
        for index, port in enumerate(numbers):
            ports.want(("team", f"r{index}"), port)
        await settled(ports)
        assert [await asked(port) for port in numbers] == [f"r{index}" for index in range(300)]
        for index in range(300):
            ports.want(("team", f"r{index}"), None)
        await settled(ports)
        assert {await asked(port) for port in numbers} == {""}


def test_an_address_of_the_pod_is_reached_by_port_forward_too() -> None:
    host = own_address()
    bound = sockets(host, 0)
    try:
        port = bound[0].getsockname()[1]
        assert [each.getsockname() for each in bound] == [(host, port), ("127.0.0.1", port)]
    finally:
        for each in bound:
            each.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "0.0.0.0"])  # it is meant
def test_an_address_that_has_loopback_already_is_one_socket(host: str) -> None:
    (bound,) = sockets(host, 0)
    bound.close()


def own_address() -> str:
    """An address of this machine that others would use."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(asking.getsockname()[0])
