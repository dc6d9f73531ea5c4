"""What is wrong with one machine is found, and nothing is changed by looking."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.apps.cli.library import TOOLHIVE
from tests.apps.cli.running import Cli
from thv.apps.cli.doctor import machine
from thv.apps.cli.doctor.findings import Outcome
from thv.apps.cli.doctor.machine import Folder, GitFound, Program, Store
from thv.apps.cli.doctor.machine_reader import program_of
from thv.apps.cli.doctor.remedies import Remedies


def line(cli: Cli, check: str, code: int = 1) -> str:
    """The line of a check in a report that ends with this code."""
    ran = cli("doctor")
    assert ran.code == code, ran.out
    (found,) = (each for each in ran.out.splitlines() if each[2:].startswith(f"{check} "))
    return found


@pytest.fixture
def filled(cli: Cli) -> Cli:
    """Somebody with a registry, and a port of their own."""
    path = cli.file("tools.json", json.dumps(TOOLHIVE))
    cli.ok("registry", "add", "tools", "--file", str(path))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        cli.environ["THV_PORT"] = str(free.getsockname()[1])
    cli.environ["PATH"] = os.environ["PATH"]
    return cli


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What is kept there; whoever reads a database has files beside it for a moment."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path): (path.stat().st_mode, path.read_bytes())
        for path in found
        if not path.name.endswith(("-shm", "-wal"))
    }


@pytest.mark.requirement("OPS-04")
def test_a_machine_that_is_well_has_nothing_to_mend_and_stays_as_it_is(filled: Cli) -> None:
    before = files(filled.home)
    ran = filled("doctor")
    assert (ran.code, "✗" in ran.out) == (0, False), ran.out
    assert "1 registry, none in trouble" in ran.out
    assert files(filled.home) == before


def test_a_machine_without_anything_is_well_and_stays_empty(cli: Cli) -> None:
    cli.environ["THV_PORT"] = "0"
    assert "no registries yet" in line(cli, "registries", 0)
    assert not cli.data.exists()


def test_a_registry_in_trouble_is_told_with_its_command(filled: Cli) -> None:
    (filled.home / "tools.json").unlink()
    filled("registry sync tools")
    found = line(filled, "registries")
    assert "default/tools: " in found
    assert "Try: thv" in found


def test_a_store_of_a_newer_program_and_one_that_is_none_are_found(filled: Cli) -> None:
    store = filled.data / "store.db"
    shutil.copy(store, filled.home / "kept.db")
    with store.open("r+b") as file:
        file.seek(60)
        file.write((99).to_bytes(4, "big"))
    assert "is from a newer thv (schema 99" in line(filled, "store")
    assert 'as "store" failed' in line(filled, "registries")
    store.write_text("no database")
    assert f"Try: mv {store} {store}.old" in line(filled, "store")


def test_a_taken_port_is_found(filled: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        filled.environ["THV_PORT"] = str(other.getsockname()[1])
        assert "is taken by another program.  Try: thv serve --port 0" in line(filled, "port")


@contextmanager
def held(path: Path, note: str) -> Iterator[None]:
    """The lock of a folder, and what its holder says of itself."""
    with path.open("w+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(note)
        file.flush()
        yield


def test_a_lock_that_nobody_gives_back_is_found(filled: Cli) -> None:
    lock = filled.data / "loop.lock"
    with held(lock, f"thv serve (pid {os.getpid()})"):
        assert "keeps the folder in sync" in line(filled, "lock", 0)
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    with held(lock, f"thv serve (pid {int(gone.stdout)})"):
        assert f"Try: fuser -v {lock}" in line(filled, "lock")
    with subprocess.Popen(["sh", "-c", "kill -STOP $$"]) as stopped:
        os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
        with held(lock, f"thv serve (pid {stopped.pid})"):
            assert f"is stopped.  Try: kill -CONT {stopped.pid}" in line(filled, "lock")
        stopped.kill()


def test_git_is_needed_by_those_who_use_it(filled: Cli) -> None:
    filled.environ["PATH"] = str(filled.home)
    assert line(filled, "git", 0).startswith("! git")
    filled("registry add team --git-repo https://git.invalid/x.git --no-sync")
    assert "Try: sudo apt-get install git" in line(filled, "git")


def test_another_program_of_the_name_is_noted(cli: Cli) -> None:
    ours, other = cli.file("ours/thv", "#!/bin/sh\n"), cli.file("theirs/thv", "#!/bin/sh\n")
    for path in (ours, other):
        path.chmod(0o755)
    (link := cli.home / "link").symlink_to(ours.parent)
    for first, words in ((other.parent, f"another program, {other}"), (link, "Python 3")):
        (finding,) = machine.judge_program(program_of(str(ours), f"{first}:{ours.parent}"))
        assert words in finding.message


def test_a_data_folder_that_is_none_is_found(cli: Cli) -> None:
    cli.environ["THV_PORT"] = "0"
    cli.file("data", "a file")
    assert f"Try: mv {cli.data} {cli.data}.old" in line(cli, "folder")


@pytest.mark.skipif(not os.path.ismount("/sys"), reason="no file system without room")
def test_a_file_system_without_room_is_found(cli: Cli) -> None:
    cli.environ |= {"THV_PORT": "0", "THV_DATA": "/sys/kernel/x"}
    assert "0 MiB are left" in line(cli, "space")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_a_folder_of_somebody_else_is_found(filled: Cli) -> None:
    os.chown(filled.data, 65532, 65532)
    assert 'Try: sudo chown -R "$(id -un)"' in line(filled, "folder")
    assert 'as "folder" failed' in line(filled, "store")


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (Folder(path="/d"), Outcome.FINE),
        (Folder(path="/d", mode=0o755), Outcome.NOTE),
        (Folder(path="/d", writable=False), Outcome.FAILED),
        (Folder(path="/d", owned=False, owner="root"), Outcome.FAILED),
        (Folder(path="/d", state="absent", parent="/"), Outcome.FINE),
        (Folder(path="/d", state="absent", parent="/", writable=False), Outcome.FAILED),
        (Folder(path="/d", state="no folder"), Outcome.FAILED),
    ],
)
def test_a_folder_is_ours_alone(found: Folder, outcome: Outcome) -> None:
    (finding,) = machine.judge_folder(found)
    assert (finding.outcome, bool(finding.fix)) == (outcome, outcome is not Outcome.FINE)


@pytest.mark.parametrize(
    ("free", "nodes", "outcome"),
    [
        (1 << 30, 1000, Outcome.FINE),
        (100 << 20, 1000, Outcome.NOTE),
        (10 << 20, 1000, Outcome.FAILED),
        (1 << 30, 5, Outcome.FAILED),
    ],
)
def test_space_runs_out_in_bytes_and_in_files(free: int, nodes: int, outcome: Outcome) -> None:
    (finding,) = machine.judge_space(Folder(path="/d", free=free, nodes=nodes))
    assert finding.outcome is outcome


def test_python_must_be_new_enough() -> None:
    (finding,) = machine.judge_program(Program(python=(3, 10, 4), path="/bin/thv"))
    assert (finding.outcome, "3.10.4 is older than 3.11" in finding.message) == (
        Outcome.FAILED,
        True,
    )


def test_an_old_git_is_as_good_as_none() -> None:
    for version, outcome in (
        ((2, 39, 5), Outcome.FINE),
        ((2, 30), Outcome.FAILED),
        ((), Outcome.FAILED),
    ):
        (finding,) = machine.judge_git(GitFound(path="/usr/bin/git", version=version, needed=True))
        assert finding.outcome is outcome


def test_a_port_in_use_by_ourselves_is_no_fault() -> None:
    found = machine.Port(address="a:1", taken=True, serving=True)
    (finding,) = machine.judge_port(found, Remedies())
    assert finding.outcome is Outcome.FINE


def test_an_older_store_is_taken_over() -> None:
    (finding,) = machine.judge_store(Store(path="/d/store.db", schema=0, known=3))
    assert finding.outcome is Outcome.FINE
