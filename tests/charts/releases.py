"""The chart installed in a cluster whose pods run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.charts.helm import CHART, Helm, Json
from tests.control_plane.cluster import Cluster, Place

NAME = "toolhive-registry"
SYSTEM = "toolhive-system"
OPERATOR = "deployment/toolhive-registry-operator"
_PATIENCE = ("--wait", "--timeout", "90s")


def given(*words: str) -> list[str]:
    """Values as options."""
    return [part for word in words for part in ("--set", word)]


class Releases:
    """What an administrator does with Helm."""

    def __init__(self, cluster: Cluster, helm: Helm) -> None:
        self.cluster = cluster
        self.helm = helm
        self.system = Place(cluster, SYSTEM)

    @contextmanager
    def installed(self, *words: str, chart: Path = CHART) -> Iterator[str]:
        """The release while the block runs; gives the notes."""
        what = (NAME, str(chart), "-n", SYSTEM, "--create-namespace")
        try:
            yield self.helm("install", *what, *_PATIENCE, *given(*words))
        finally:
            self.uninstall()

    def upgrade(self, *words: str) -> None:
        """With these values alone."""
        self.helm("upgrade", NAME, str(CHART), "-n", SYSTEM, *_PATIENCE, *given(*words))

    def notes(self, *words: str) -> str:
        """What would be said with these values; nothing is changed."""
        what = (NAME, str(CHART), "-n", SYSTEM, "--dry-run=client", "-o", "json")
        said: str = json.loads(self.helm("upgrade", *what, *given(*words)))["info"]["notes"]
        return said

    def roll_back(self) -> None:
        """To the release before."""
        self.helm("rollback", NAME, "-n", SYSTEM, *_PATIENCE)

    def uninstall(self) -> None:
        """Nothing happens when it is not there."""
        self.helm("uninstall", NAME, "-n", SYSTEM, "--wait", "--ignore-not-found")

    def objects(self, kind: str) -> list[Json]:
        """Of the whole cluster."""
        found = json.loads(self.system.kubectl("get", kind, "-A", "-o", "json"))
        items: list[Json] = found["items"]
        return items
