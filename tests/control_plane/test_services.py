"""What leads connections to pods leaves none behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.control_plane.connections import Connections
from tests.control_plane.services import Address, Forwarder
from tests.ports import free_port

pytestmark = pytest.mark.anyio


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(100):
        writer.write(piece)
    writer.close()


async def test_connections_that_are_open_end_with_their_listener_and_nothing_is_told() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    forwarder, echoing = Forwarder(), Connections()
    async with await asyncio.start_server(echoing.served_by(_echo), "127.0.0.1", 0) as there:
        end = Address(*there.sockets[0].getsockname())
        address = Address("127.0.0.1", free_port())
        await forwarder.lead({address: (end,)})
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        await forwarder.close()
        assert await reader.read() == b""
        writer.close()
        await echoing.close()
    assert told == []
