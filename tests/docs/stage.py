"""A terminal for each page: a checkout of its own, the programs that pages name, a cluster, and hosts that stand in.

Names of hosts that pages use, and the port 8080 of this machine, lead to servers of this test, in commands as in the
examples that they apply. An installation by Helm that is there is not made a second time; everything else is done as
it stands.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.charts.helm import Json
from tests.charts.releases import Releases
from tests.docs.reading import INTERRUPT, ROOT, Command, File, fits

CONTEXT = "prod"
PATIENCE = 240.0
"""Longer than any command waits by itself, so that it says for what."""
_LINKED = ("charts", "deploy", "image")
_WITH_HOSTS = ("examples",)
# Whatever happens to the tests, nothing of this outlives them.
_SHELL = ("setpriv", "--pdeathsig", "KILL", "--", "bash", "-c")
_INSTALLS = "helm install "
INSTALL = Command(
    0,
    "helm install toolhive-registry charts/toolhive-registry -n toolhive-system --create-namespace --wait",
)
"""As pages have it."""
_LOOKS = (
    "kubectl get mcpreg,pods,deployments,events -A",
    "kubectl get mcpreg -n default -o yaml",
    "kubectl logs -n toolhive-system -l app.kubernetes.io/component=operator --tail=40 --prefix",
)


class Said(NamedTuple):
    """What came of a command."""

    code: int
    text: str


class Staying(NamedTuple):
    """A command that goes on."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    def interrupt(self) -> Said:
        """Ctrl-C, and what was said to it."""
        before = self.said()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE)
        return Said(code, self.said().removeprefix(before))


class Session:
    """One page at its terminal."""

    def __init__(self, folder: Path, environ: Mapping[str, str], installed: set[str]) -> None:
        self._folder = folder
        self._environ = environ
        self._installed = installed
        self._staying: list[Staying] = []

    def write(self, file: File) -> None:
        path = self._folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)

    def do(self, command: Command) -> Said:
        """What comes of it; of a command that stays, what it has said once that is what the page shows."""
        if command.text == INTERRUPT:
            return self._staying.pop().interrupt()
        if command.stays:
            return self._begin(command)
        if command.text in self._installed:
            return Said(0, command.said)
        if command.text.startswith(_INSTALLS):
            self._installed.add(command.text)
        done = subprocess.run(
            [*_SHELL, command.text],
            **self._around(),
            stdout=subprocess.PIPE,
            check=False,
            timeout=PATIENCE,
        )
        return Said(done.returncode, done.stdout.decode())

    def look_around(self) -> str:
        """What somebody would look at when a command ends as it should not."""
        return "".join(self.do(Command(0, each)).text for each in _LOOKS)

    def end(self) -> None:
        while self._staying:
            assert self._staying.pop().interrupt().code == 0

    def _begin(self, command: Command) -> Said:
        log = self._folder.parent / "stays.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*_SHELL, f"exec {command.text}"], **self._around(), stdout=out
            )
        self._staying.append(Staying(process, log))
        until = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < until:
            if fits(log.read_text(), command.said):
                break
            time.sleep(0.1)
        return Said(process.poll() or 0, log.read_text())

    def _around(self) -> dict[str, Any]:
        """Where a command runs; its words and its complaints go the same way."""
        return {
            "cwd": self._folder,
            "env": self._environ,
            "stdin": subprocess.DEVNULL,
            "stderr": subprocess.STDOUT,
        }


class Stage:
    """What pages share: the cluster, and what is installed in it."""

    def __init__(
        self, folder: Path, releases: Releases, helm: Path, hosts: Mapping[str, str]
    ) -> None:
        """`hosts` are those that pages name, and what stands in for them."""
        self._folder = folder
        self._releases = releases
        self._plane = releases.cluster.plane
        self._hosts = hosts
        self._programs = folder / "bin"
        self._programs.mkdir()
        thv = Path(sys.executable).with_name("thv")
        kubectl = Path(self._plane.binaries.path("kubectl"))
        programs = {"helm": helm, "kubectl": kubectl, "thv": thv, "kubectl-thv": thv}
        for name, program in programs.items():
            (self._programs / name).symlink_to(program)
        self._installed: set[str] = set()

    def led(self, text: str) -> str:
        """A text of ours that means the hosts of the test, and a folder of its own for what is temporary."""
        text = text.replace("/tmp/", f"{self._folder}/")
        for word, stand_in in self._hosts.items():
            text = text.replace(word, stand_in)
        return text

    @contextmanager
    def session(self, page: str, *, bare: bool) -> Iterator[Session]:
        """A terminal with nothing done in it yet; what the page leaves in the namespace `default` goes.

        The cluster is bare, or has an operator.
        """
        folder = self._folder / page.replace("/", "-")
        session = Session(self._checkout(folder), self._environ(folder), self._installed)
        if bare:
            self._releases.uninstall()
            self._installed.clear()
        elif not self._installed:
            session.do(INSTALL)
        try:
            yield session
        finally:
            session.end()
            for kinds in ("mcpreg", "configmaps,secrets,rolebindings"):
                self._plane.kubectl("delete", kinds, "--all", "-n", "default")
            self._until_no_pods()

    def _until_no_pods(self) -> None:
        """Those that still end would be seen by the next page, which makes registries of the same names."""
        until = time.monotonic() + PATIENCE
        while self._plane.kubectl("get", "pods", "-n", "default", "-o", "name").stdout.strip():
            assert time.monotonic() < until, "pods of the namespace default do not end"
            time.sleep(0.2)

    def _checkout(self, folder: Path) -> Path:
        checkout = folder / "toolhive-registry"
        checkout.mkdir(parents=True)
        for name in _LINKED:
            (checkout / name).symlink_to(ROOT / name)
        for name in _WITH_HOSTS:
            shutil.copytree(ROOT / name, checkout / name)
            for path in (checkout / name).rglob("*.yaml"):
                path.write_text(self.led(path.read_text()))
        return checkout

    def _environ(self, folder: Path) -> dict[str, str]:
        """Of somebody whose kubeconfig names the cluster, and who has never used the program."""
        kubeconfig: Json = json.loads(self._plane.kubeconfig.read_text())
        kubeconfig["contexts"][0]["name"] = kubeconfig["current-context"] = CONTEXT
        (folder / "kubeconfig").write_text(json.dumps(kubeconfig))
        (folder / "kubeconfig").chmod(0o600)
        return {
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "KUBECONFIG": str(folder / "kubeconfig"),
            "THV_PORT": self._hosts["127.0.0.1:8080"].rpartition(":")[2],
            "THV_ALLOW": self._hosts["git.corp.example:443"],
        }
