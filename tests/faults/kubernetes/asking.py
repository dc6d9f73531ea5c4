"""A plain client of the API server, to see what a proxy does to one.

Run as a program it creates the ConfigMaps c1, c2, ... and prints the name of each when it has the reply:

    python -m tests.faults.kubernetes.asking KUBECONFIG NAMESPACE COUNT
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from thv.domain.canonical import JsonObject


class Said(NamedTuple):
    status: int
    headers: dict[str, str]
    body: JsonObject


class Caller:
    """Speaks as the user of a kubeconfig with a token."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._place = urlsplit(cluster["server"]).netloc
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}

    def ask(self, method: str, path: str, body: Any = None, **more: str) -> Said:
        connection, answer = self._begin(method, path, body, more)
        with connection:
            return Said(answer.status, dict(answer.headers), json.loads(answer.read()))

    def watch(self, path: str) -> Iterator[JsonObject]:
        """The events as they come, until the server ends."""
        connection, answer = self._begin("GET", f"{path}?watch=true", None, {})
        with connection:
            while line := answer.readline():
                yield json.loads(line)

    def _begin(
        self, method: str, path: str, body: Any, more: dict[str, str]
    ) -> tuple[_Connection, http.client.HTTPResponse]:
        connection = _Connection(self._place, context=self._tls, timeout=30)
        content = None if body is None else json.dumps(body)
        headers = {**self._headers, "Content-Type": "application/json", **more}
        connection.request(method, path, content, headers)
        return connection, connection.getresponse()


class _Connection(http.client.HTTPSConnection):
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def config_map(name: str, **data: str) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": data,
    }


def main() -> None:
    caller = Caller(Path(sys.argv[1]))
    for number in range(1, int(sys.argv[3]) + 1):
        path = f"/api/v1/namespaces/{sys.argv[2]}/configmaps"
        caller.ask("POST", path, config_map(f"c{number}"))
        print(f"c{number}", flush=True)


if __name__ == "__main__":
    main()
