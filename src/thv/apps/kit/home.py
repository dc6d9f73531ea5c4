"""The data folder of the one-machine shape: what lies where, and who reconciles.

In the flow: command line and server find the same state here. Everything but `store.db`, `secrets`, `imports` and `tokens.yaml` is
derived and made again when it is lost.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from thv.domain.errors import Code, ThvError

_ALLOWED_HOSTS_LIMIT = 1 << 20
_IMPORTS = "imports"


def is_import(path: str, namespace: str) -> bool:
    """Whether a path is that of a file which was handed to a registry of the namespace."""
    folder, _, name = path.rpartition("/")
    return folder == f"{_IMPORTS}/{namespace}" and name not in ("", ".", "..")


def import_path(namespace: str, name: str) -> str:
    """Where an imported document lies in every data folder; the path of its source."""
    return f"{_IMPORTS}/{namespace}/{name}.json"


class Home(msgspec.Struct, frozen=True):
    """A data folder."""

    root: Path

    @property
    def store(self) -> Path:
        """Resources."""
        return self.root / "store.db"

    @property
    def secrets(self) -> Path:
        """Values of Secrets, one file each, readable by the owner alone."""
        return self.root / "secrets"

    @property
    def snapshots(self) -> Path:
        """Chunks of snapshots, a folder a registry."""
        return self.root / "snapshots"

    @property
    def mirrors(self) -> Path:
        """What sources hold, a file a source."""
        return self.root / "mirrors"

    @property
    def selections(self) -> Path:
        """What registries selected, a file a registry."""
        return self.root / "selections"

    @property
    def models(self) -> Path:
        """Read models, a folder a registry."""
        return self.root / "models"

    def model_uids(self) -> set[str]:
        """The registries that have a read model here."""
        return {path.name for path in self.models.iterdir()} if self.models.is_dir() else set()

    @property
    def imports(self) -> Path:
        """Documents that `thv registry import` wrote, which are sources: not derived, and part of a backup."""
        return self.root / _IMPORTS

    @property
    def git(self) -> Path:
        """Working space of the Git client."""
        return self.root / "git"

    @property
    def allowed_hosts(self) -> Path:
        """Hosts that `thv registry add --allow-private-ip` opened, one `host:port` a line."""
        return self.root / "allowed-hosts"

    @property
    def tokens(self) -> Path:
        """The access file: whose tokens are good, and for what. Not derived, and part of a backup."""
        return self.root / "tokens.yaml"

    @property
    def codes(self) -> Path:
        """Codes of one use for signing in to the dashboard."""
        return self.root / "signin"

    @property
    def address(self) -> Path:
        """Where the dashboard of the process that serves the folder is, while it runs."""
        return self.root / "dashboard"

    def import_of(self, namespace: str, name: str) -> Path:
        """The document of one registry among the imports."""
        return self.root / import_path(namespace, name)

    def make(self) -> Home:
        """Makes the folder with mode 0700; raises STORE_UNAVAILABLE when that is not possible."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(self.root, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.root))
        except OSError as error:
            raise ThvError(
                Code.STORE_UNAVAILABLE,
                f"cannot use the data folder {self.root}: {error.strerror}",
                hint="Choose another one with --data or THV_DATA.",
            ) from error
        return self

    def read_allowed_hosts(self) -> list[str]:
        """The entries that were added on this machine."""
        try:
            with self.allowed_hosts.open(encoding="utf-8", errors="replace") as file:
                return file.read(_ALLOWED_HOSTS_LIMIT).split()
        except FileNotFoundError:
            return []

    def allow_hosts(self, entries: Iterable[str]) -> None:
        """Adds entries, each once."""
        merged = list(dict.fromkeys([*self.read_allowed_hosts(), *entries]))
        draft = self.allowed_hosts.with_suffix(".tmp")
        draft.write_text("".join(f"{entry}\n" for entry in merged))
        draft.replace(self.allowed_hosts)


class LoopLock:
    """Held by the one process that runs the reconcile loop on a data folder."""

    def __init__(self, home: Home) -> None:
        self._path = home.root / "loop.lock"
        self._file: int | None = None

    def acquire(self, note: str) -> bool:
        """False when another process holds it; `note` tells a person who we are."""
        if self._file is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, note.encode())
        self._file = descriptor
        return True

    def release(self) -> None:
        """Lets the next process have it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def holder(self) -> str:
        """What another process that holds the lock says of itself, `""` when none does."""
        if self._file is not None:
            return ""
        if self.acquire(""):
            self.release()
            return ""
        return self._path.read_text(errors="replace") or "another process"
