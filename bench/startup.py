"""How fast the command line answers, against a Python that does nothing.

    python -m bench.startup

The status is 1 when a command needs more than its budget; what it may import is held by `tests/apps/cli/test_startup.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 15
BUDGETS = {
    "--help": 0.1,
    "search grafana": 0.3,
    "show io.github.grafana/mcp-grafana": 0.3,
    "registry list": 0.3,
}
"""Seconds on a machine with nothing else to do."""
FLOOR = [sys.executable, "-c", "pass"]
THV = str(Path(sys.executable).with_name("thv"))
SAMPLE = Path(__file__).parents[1] / "examples" / "samples" / "community" / "servers.json"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        environ = {"PATH": os.environ["PATH"], "HOME": folder, "THV_DATA": f"{folder}/data"}
        subprocess.run(
            [THV, "registry", "add", "sample", "--file", str(SAMPLE)],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        commands = {"python -c pass": FLOOR}
        commands |= {f"thv {line}": [THV, *line.split()] for line in BUDGETS}
        best = dict.fromkeys(commands, float("inf"))
        for _ in range(ROUNDS):  # in turns, so that a busy moment hits all of them
            for title, command in commands.items():
                best[title] = min(best[title], _seconds(command, environ))
    floor = best.pop("python -c pass")
    print(f"{'python -c pass':40}{floor * 1000:8.0f} ms")
    worst = 0
    for (title, took), budget in zip(best.items(), BUDGETS.values(), strict=True):
        missed = took > budget
        worst |= missed
        print(
            f"{title:40}{took * 1000:8.0f} ms{took / floor:7.1f} x"
            f"   budget {budget * 1000:.0f} ms{'   MISSED' if missed else ''}"
        )
    return worst


def _seconds(command: list[str], environ: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    raise SystemExit(main())
