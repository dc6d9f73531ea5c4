"""Runs every benchmark of this folder: each module that has a `main()`, in a process of its own.

    python -m bench

The status is that of the worst one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent


def modules() -> Iterator[str]:
    """The benchmarks: modules with a main() that are no server of one."""
    for path in sorted(FOLDER.glob("[a-z]*.py")):
        if not path.stem.endswith("_server") and "\ndef main(" in path.read_text(encoding="utf-8"):
            yield f"{__package__}.{path.stem}"


def main() -> int:
    worst = 0
    for module in modules():
        print(f"\n== {module}", flush=True)
        done = subprocess.run([sys.executable, "-m", module], check=False)
        worst = max(worst, done.returncode)
    return worst


if __name__ == "__main__":
    raise SystemExit(main())
