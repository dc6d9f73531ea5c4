"""A real server on loopback over an application, for clients that are not ours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvloop

from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.serve import Server, door_of, listening


@contextmanager
def serving(make: Callable[[], Responder]) -> Iterator[str]:
    """The base address; the application is made in the thread that serves it, as its databases want."""
    bound = listening("127.0.0.1", 0)
    bound.listen(128)
    host, port = bound.getsockname()
    running: list[Server] = []
    is_made = threading.Event()

    async def serve() -> None:
        running.append(door_of(make()))
        is_made.set()
        await running[0].serve(sockets=[bound])

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    is_made.wait(10)
    try:
        yield f"http://{host}:{port}"
    finally:
        running[0].should_exit = True
        thread.join()
