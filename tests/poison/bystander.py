"""A registry that does nothing wrong: its ConfigMap is edited now and then, and somebody looks when that shows.

    python -m tests.poison.bystander KUBECONFIG NAMESPACE FILE

A process of its own, so that whoever writes poison does not make it slow. The file gets a line an edit.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

from tests.poison.documents import good
from tests.poison.hand import Hand, config_map, registry
from thv.domain.canonical import JsonObject
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY

NAME = "bystander"
PAUSE = 0.25
"""Seconds between two edits."""
_LONGEST = 120.0


class Bystander:
    """Somebody who looks after one registry, from when it begins until it ends."""

    def __init__(self, kubeconfig: Path, namespace: str, file: Path) -> None:
        self._file = file
        self._words = (str(kubeconfig), namespace, str(file))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._file.touch()
        module = (sys.executable, "-m", "tests.poison.bystander")
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *module, *self._words]
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def took(self, since: float, until: float = float("inf")) -> list[float]:
        """Seconds that each edit of this while took until the status was about it."""
        lines = (line.split() for line in self._file.read_text().splitlines())
        return [float(took) for began, took in lines if since <= float(began) < until]

    def rest(self, edits: int) -> list[float]:
        """How long so many edits take from now on."""
        began = time.monotonic()
        while len(self.took(began)) < edits and time.monotonic() < began + _LONGEST:
            assert self._process is not None
            assert self._process.poll() is None, "the bystander has ended"
            time.sleep(0.1)
        return self.took(began)


class _Story:
    """Edits from one thread, and watches from another."""

    def __init__(self, hand: Hand, file: Path) -> None:
        self._hand = hand
        self._file = file
        self._seen = ""
        self._news = threading.Condition()

    def run(self) -> None:
        assert self._hand.create(CONFIG_MAP, config_map(NAME, good("a"))).accepted
        assert self._hand.create(MCP_REGISTRY, registry(NAME)).accepted
        threading.Thread(target=self._watch, daemon=True).start()
        number = 0
        with self._file.open("a", buffering=1) as file:
            while True:
                number += 1
                began = time.monotonic()
                self._edit(number)
                file.write(f"{began} {time.monotonic() - began}\n")
                time.sleep(PAUSE)

    def _edit(self, number: int) -> None:
        text = good("a", f"b{number % 7}", description=f"edit {number}")
        said = self._hand.merge(CONFIG_MAP, NAME, {"data": {"registry.json": text}})
        version = said.object["metadata"]["resourceVersion"]
        with self._news:
            self._news.wait_for(lambda: self._seen == version, _LONGEST)

    def _watch(self) -> None:
        hand = self._hand
        asked = urlencode({"watch": "1", "fieldSelector": f"metadata.name={NAME}"})
        while True:
            connection = http.client.HTTPSConnection(hand.place, context=hand.tls, timeout=600)
            try:
                connection.request("GET", f"{hand.path(MCP_REGISTRY)}?{asked}")
                for line in connection.getresponse():
                    self._see(json.loads(line)["object"])
            except (http.client.HTTPException, OSError):
                time.sleep(0.1)
            finally:
                connection.close()

    def _see(self, obj: JsonObject) -> None:
        with self._news:
            self._seen = obj.get("status", {}).get("syncStatus", {}).get("revision", "")
            self._news.notify_all()


def share(values: list[float], part: float) -> float:
    """The value that so large a part of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def main() -> None:
    kubeconfig, namespace, file = sys.argv[1:]
    with Hand(Path(kubeconfig), namespace) as hand:
        _Story(hand, Path(file)).run()


if __name__ == "__main__":
    main()
