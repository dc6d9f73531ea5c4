"""The floor of the benchmark of the registry API: a bare application on the same server, with the same settings.

python -m bench.registry_server FILE PORT
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import uvloop

from thv.apps.kit.http.serve import listening, server_of
from thv.apps.kit.memory import keep_buffers

Answers: TypeAlias = dict[bytes, tuple[int, list[tuple[bytes, bytes]], bytes]]
"""Status, headers and body by path and query."""


async def serve(answers: Answers, port: int) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        status, headers, body = answers[scope["raw_path"] + b"?" + scope["query_string"]]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    await server_of(app).serve(sockets=[listening("127.0.0.1", port)])


def main() -> None:
    keep_buffers()
    answers = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Answers)
    answers[b"/readyz?"] = (200, [(b"content-length", b"0")], b"")
    uvloop.run(serve(answers, int(sys.argv[2])))


if __name__ == "__main__":
    main()
