"""Asks a container whether it is alive, ready or started, as its pod says: over HTTP, by connecting, or by a command."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tests.control_plane.plane import Json

Execute = Callable[[list[str], float], Awaitable[tuple[int, str]]]
_UNVERIFIED = ssl._create_unverified_context()
_SOON = 0.1


class Target(NamedTuple):
    """What is asked."""

    address: str
    container: Json
    execute: Execute


async def follow(probe: Json, target: Target, said: Callable[[bool], None], *, eager: bool) -> None:
    """Asks for ever, and says it whenever enough answers in a row agree.

    An eager probe is repeated soon while it has never succeeded; failures count at the pace that the pod asks for.
    """
    await asyncio.sleep(probe.get("initialDelaySeconds", 0))
    period = probe.get("periodSeconds") or 10
    enough = {True: probe.get("successThreshold") or 1, False: probe.get("failureThreshold") or 3}
    loop = asyncio.get_running_loop()
    last, row, counted, succeeded = False, 0, loop.time() - period, False
    while True:
        good = await succeeds(probe, target)
        if good or not eager or succeeded or loop.time() - counted >= period:
            row = row + 1 if good == last else 1
            last, counted = good, loop.time()
            if row >= enough[good]:
                said(good)
        succeeded = succeeded or good
        await asyncio.sleep(_SOON if eager and not succeeded else period)


async def succeeds(probe: Json, target: Target) -> bool:
    seconds = float(probe.get("timeoutSeconds") or 1)
    try:
        return await asyncio.wait_for(_ask(probe, target, seconds), seconds)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        return False


async def _ask(probe: Json, target: Target, seconds: float) -> bool:
    match probe:
        case {"httpGet": get}:
            return await _http(get, target)
        case {"tcpSocket": socket}:
            host = socket.get("host") or target.address
            _, writer = await asyncio.open_connection(
                host, port_of(socket["port"], target.container)
            )
            writer.close()
            return True
        case {"exec": command}:
            code, _ = await target.execute(command["command"], seconds)
            return code == 0
        case _:
            return False


async def _http(get: Json, target: Target) -> bool:
    host, port = get.get("host") or target.address, port_of(get["port"], target.container)
    context = _UNVERIFIED if get.get("scheme") == "HTTPS" else None
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1.36", "Accept": "*/*"}
        headers |= {each["name"]: each["value"] for each in get.get("httpHeaders", ())}
        lines = [f"GET {get.get('path') or '/'} HTTP/1.1", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        status = (await reader.readline()).split()
        return len(status) > 1 and 200 <= int(status[1]) < 400
    finally:
        writer.close()


def port_of(port: int | str, container: Json) -> int:
    """A number, or the name of one of the container's ports."""
    if isinstance(port, int):
        return port
    named = (each for each in container.get("ports", ()) if each.get("name") == port)
    found = next(named, None)
    if found is None:
        raise ValueError(f"no port is called {port}")
    return int(found["containerPort"])
