"""What every process tells of itself: its version, and what it takes of the machine.

In the flow: read when somebody asks. Where the system does not say, nothing is told.
"""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

from thv import __version__
from thv.apps.kit.metrics import Family, Kind, Labels, Told

_OWN = Path("/proc/self")
_PAGE = resource.getpagesize()
_TICKS = os.sysconf("SC_CLK_TCK")
_PROCESSOR, _SYSTEM, _STARTED, _VIRTUAL, _RESIDENT = 11, 12, 19, 20, 21
"""Places in /proc/self/stat, counted behind the name of the program."""


def process_figures() -> list[Told]:
    """Figures under the names that every exporter uses."""
    return [
        Told(
            Family(
                "thv_build_info",
                Kind.GAUGE,
                "1 for the version that runs.",
                ("version", "commit", "python"),
            ),
            _build,
        ),
        _told("cpu_seconds_total", Kind.COUNTER, "Seconds of processor time.", _processor),
        _told("resident_memory_bytes", Kind.GAUGE, "Memory that is in use.", _resident),
        _told("virtual_memory_bytes", Kind.GAUGE, "Memory that is mapped.", _virtual),
        _told("open_fds", Kind.GAUGE, "Open files and connections.", _open_files),
        _told("max_fds", Kind.GAUGE, "Files and connections that may be open.", _most_files),
        _told("start_time_seconds", Kind.GAUGE, "When it started, in Unix seconds.", _start),
    ]


def _told(name: str, kind: Kind, text: str, read: Callable[[], float]) -> Told:
    def values() -> Iterator[tuple[Labels, float]]:
        try:
            yield (), read()
        except (OSError, ValueError, IndexError):
            return

    return Told(Family(f"process_{name}", kind, text), values)


def _build() -> Iterator[tuple[Labels, float]]:
    yield (__version__, os.environ.get("THV_COMMIT", ""), platform.python_version()), 1


def _stat(*places: int) -> list[int]:
    words = (
        (_OWN / "stat").read_text(encoding="ascii", errors="replace").rpartition(") ")[2].split()
    )
    return [int(words[place]) for place in places]


def _processor() -> float:
    return sum(_stat(_PROCESSOR, _SYSTEM)) / _TICKS


def _resident() -> float:
    return _stat(_RESIDENT)[0] * _PAGE


def _virtual() -> float:
    return _stat(_VIRTUAL)[0]


def _open_files() -> float:
    return len(os.listdir(_OWN / "fd"))  # noqa: PTH208 # names alone


def _most_files() -> float:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _start() -> float:
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return int(line.split()[1]) + _stat(_STARTED)[0] / _TICKS
    raise ValueError("no time of boot")
