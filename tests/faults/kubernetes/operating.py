"""The operator as it runs on a cluster: the installed console script, with the rights that are shipped, nothing more."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

THV = (str(Path(sys.executable).with_name("thv")), "operator", "run")
BROKEN = (sys.executable, "-m", "tests.faults.kubernetes.broken", "operator", "run")


class OperatorProcess:
    """One pod's worth of operator: it can die and begin again, with what its data folder still holds."""

    def __init__(
        self,
        kubeconfig: Path,
        folder: Path,
        *,
        namespace: str,
        name: str = "operator-0",
        most_starts: int = 5,
        command: Sequence[str] = THV,
        **more: str,
    ) -> None:
        """`namespace` and `name` are those of the pod; `more` is environment."""
        self.folder = folder
        self.log = folder / "operator.log"
        self.starts = 0
        self._most_starts = most_starts
        self._command = command
        self.started = 0.0
        """Of the monotonic clock."""
        self._process: subprocess.Popen[bytes] | None = None
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": str(kubeconfig),
            "POD_NAMESPACE": namespace,
            "POD_NAME": name,
            "THV_DATA": str(folder / "data"),
            "THV_LISTEN_OPERATIONS": "127.0.0.1:0",
            "THV_IMAGE": "toolhive-registry:0.1.0",
            **more,
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self._command],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.starts += 1
        self.started = time.monotonic()

    def kill(self) -> None:
        """As if the machine lost power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, patience: float = 20.0) -> int:
        """As a kubelet stops a pod; the exit code."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode

    def revive(self) -> bool:
        """Begins again when it is dead; whether it was."""
        if self.alive:
            return False
        assert self.starts < self._most_starts, f"it ends again and again:\n{self.said()[-2000:]}"
        self.start()
        return True

    def said(self) -> str:
        return self.log.read_text(errors="replace")


def until(
    holds: Callable[[], bool],
    seconds: float,
    what: str,
    *,
    pause: float = 0.02,
    meanwhile: Callable[[], object] = lambda: None,
) -> float:
    """Waits for what other processes do; how long it took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        meanwhile()
        time.sleep(pause)
    return time.monotonic() - began
