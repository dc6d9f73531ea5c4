"""Builds the oldest Kubernetes that is supported, to run the same tests on it.

    eval $(python -m tests.control_plane.older) && pytest tests/contracts tests/admission tests/apps/operator

Its API server is the one that the product talks to; the controllers are those of the newest, which get along with it.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.control_plane.binaries import MANAGER, build

SOURCE = Path(__file__).parent


def main() -> None:
    newest, older = build(), build(source=SOURCE)
    manager = older.folder / MANAGER
    manager.unlink(missing_ok=True)
    manager.symlink_to(os.path.realpath(newest.folder / MANAGER))
    print(f"export KUBEBUILDER_ASSETS={older.folder}")


if __name__ == "__main__":
    main()
