"""A PostgreSQL server for as long as somebody needs it: data in a folder of its own, loopback only, never as root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.peers.programs import postgres_folder
from tests.peers.waiting import PATIENCE, until
from tests.ports import free_port

USER = "mcpregistry"
ENGLISH = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
"""Text is ordered by the rules of a language, as in the image that most people run: not by bytes."""
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""For data that nobody misses after a crash."""


class Postgres:
    """The server; it is ended, and its data removed, with its context."""

    def __init__(
        self,
        *,
        settings: Sequence[str] = QUICK,
        order: Sequence[str] = ENGLISH,
        before: Sequence[str] = (),
    ) -> None:
        """`before` are words before the command, such as those that pin it to a core."""
        self._programs = postgres_folder()
        self._folder = Path(tempfile.mkdtemp(prefix="thv-postgres-"))
        self._user = _another_user()
        self._settings = settings
        self._order = order
        self._before = before
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # ends sessions, then itself
            self._process.wait(PATIENCE)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, database: str) -> str:
        return f"postgres://{USER}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """The URL of a new database."""
        self.run("createdb", database)
        return self.url(database)

    def sql(self, database: str, statement: str) -> str:
        """What it prints: one row a line."""
        return self.run("psql", "-qtA", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement)

    def run(self, program: str, *arguments: str) -> str:
        """What one of the client programs says."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER]
        done = subprocess.run(
            [str(self._programs / program), *where, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _start(self) -> None:
        if self._user:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        data, log = self._folder / "data", self._folder / "log"
        initdb = [str(self._programs / "initdb"), "-D", str(data), "-U", USER, "-A", "trust"]
        subprocess.run(
            self._as_user(*initdb, "-E", "UTF8", *self._order, "--no-sync"),
            cwd="/",
            stdout=subprocess.DEVNULL,
            check=True,
        )
        settings = ("listen_addresses=127.0.0.1", f"unix_socket_directories={self._folder}")
        options = [word for setting in (*settings, *self._settings) for word in ("-c", setting)]
        server = [str(self._programs / "postgres"), "-D", str(data), "-p", str(self.port)]
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*self._before, *self._as_user(*server, *options)], cwd="/", stderr=file
            )
        until(lambda: self._is_ready(log))

    def _is_ready(self, log: Path) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, log.read_text()
        return "ready to accept connections" in log.read_text()

    def _as_user(self, *command: str) -> list[str]:
        """PostgreSQL refuses to run as root."""
        if self._user is None:
            return list(command)
        ids = [f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}"]
        return ["setpriv", *ids, "--clear-groups", *command]


def _another_user() -> pwd.struct_passwd | None:
    """Whom root becomes; None: nobody has to become anybody."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]
