"""Runs of the scenario, each in a new namespace with an operator for that namespace alone."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.control_plane.plane import ControlPlane
from tests.faults.kubernetes.cluster import make_namespace, operator_kubeconfig
from tests.faults.kubernetes.faults import NONE, Faults
from tests.faults.kubernetes.history import History, present_version
from tests.faults.kubernetes.operating import THV, OperatorProcess
from tests.faults.kubernetes.proxy import FaultProxy
from tests.faults.kubernetes.scenario import GRACE, Order, Run, World, play

PARALLEL = int(os.environ.get("THV_PARALLEL", "2"))
"""Runs at once."""

_numbers = itertools.count(1)


class Plans:
    """Several may run at once."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._plane = plane
        self._folder = folder
        self._history = History(lambda: present_version(plane))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._history.close()

    def run(
        self, kill: Order | None = None, *, faults: Faults = NONE, command: Sequence[str] = THV
    ) -> Run:
        plane, name = self._plane, f"plan-{os.getpid()}-{next(_numbers)}"
        folder = self._folder / name
        folder.mkdir()
        make_namespace(plane, name)
        with FaultProxy(plane.url, plane.ca_file, folder, history=self._history) as proxy:
            operator = OperatorProcess(
                proxy.kubeconfig(operator_kubeconfig(plane)),
                folder / "pod",
                namespace=name,
                command=command,
                THV_NAMESPACES=name,
                THV_CHUNK_GRACE=GRACE,
            )
            run = play(World(plane, name), proxy, operator, kill, faults)
        plane.request("DELETE", f"/api/v1/namespaces/{name}")
        return run
