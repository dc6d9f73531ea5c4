"""ToolHive's own command line, as a user who knows nothing of us: a home of its own, no network but loopback."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.peers.docker import DockerStub

PATIENCE = 120.0
Done = subprocess.CompletedProcess[str]


class ToolHive:
    """The program with a home and a container runtime."""

    def __init__(self, program: Path, home: Path, docker: DockerStub) -> None:
        self._program = program
        self.docker = docker
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TOOLHIVE_DOCKER_SOCKET": str(docker.socket),
            "TOOLHIVE_SKIP_UPDATE_CHECK": "true",
            # without a desktop there is no keyring to ask
            "TOOLHIVE_SECRETS_PROVIDER": "none",
        }

    def run(self, *arguments: str) -> Done:
        """What the command says, whether it succeeds or not."""
        return subprocess.run(
            [str(self._program), *arguments],
            env=self._environ,
            cwd=self._environ["HOME"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def __call__(self, *arguments: str) -> str:
        """What a command says that must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--format", "json"))

    def use(self, base: str) -> str:
        """Makes a registry the one that it reads: its documented setting, for a server on this machine."""
        return self("config", "set-registry", base, "--allow-private-ip")
