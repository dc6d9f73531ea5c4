"""Kills a process at an exact system call, with strace.

Every durable write of a run is a point: a call that changes a file of the data folder. The same run is then made
again, and killed where that call would be made, so that it never happens.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

CALLS = (
    "openat,mkdir,write,pwrite64,pwritev,ftruncate,fallocate,fsync,fdatasync,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir"
)
_LINE = re.compile(r"^(?P<thread>\d+)\s+(?P<call>\w+)\((?P<arguments>.*)")
_OPENED = re.compile(r"\d+<(?P<path>[^>]*)>|(?P<folder>\w*)\"(?P<named>[^\"]*)\"")


class Point(msgspec.Struct, frozen=True, order=True):
    """The n-th call of one thread that concerns one file."""

    path: str
    """Below the data folder."""
    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} #{self.number} of {self.path}"


def points_of(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> list[Point]:
    """Every point of an undisturbed run, in the order of the run."""
    log = folder.with_name(f"{folder.name}.strace")
    # Only here: a filter in the kernel keeps strace from killing by path.
    done = _run(command, log, environ, ("--seccomp-bpf", "-e", f"trace={CALLS}"))
    assert done.returncode == 0, done.stderr.decode()
    counts: Counter[tuple[str, str, str]] = Counter()
    points = []
    for thread, call, path in _changes(log.read_text(errors="replace").splitlines(), folder):
        counts[thread, call, path] += 1
        points.append(Point(path, call, counts[thread, call, path]))
    return list(dict.fromkeys(points))


def killed_at(
    point: Point, command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> bool:
    """Runs the command until the point; False when it did not come there."""
    log = folder.with_name(f"{folder.name}.strace")
    fault = f"{point.call}:signal=SIGKILL:when={point.number}"
    options = ("-P", str(folder / point.path), "-e", f"trace={point.call}", f"--inject={fault}")
    return _run(command, log, environ, options).returncode == -signal.SIGKILL


def _run(
    command: Sequence[str], log: Path, environ: Mapping[str, str], options: Sequence[str]
) -> subprocess.CompletedProcess[bytes]:
    traced = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", str(log), *options]
    return subprocess.run(
        [*traced, *command], env=dict(environ), check=False, capture_output=True, timeout=60
    )


def _changes(lines: Iterable[str], folder: Path) -> Iterable[tuple[str, str, str]]:
    """Thread, call and file of each call that changes something below the folder."""
    inside = f"{folder}/"
    for line in lines:
        found = _LINE.match(line)
        if found is None or (found["call"] == "openat" and "O_CREAT" not in line):
            continue
        named = [one["path"] or one["named"] or "" for one in _OPENED.finditer(found["arguments"])]
        below = [path.removeprefix(inside) for path in named if path.startswith(inside)]
        if below:
            yield found["thread"], found["call"], below[-1]  # of a rename the new name
