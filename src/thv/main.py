"""The console script `thv`."""

from __future__ import annotations


def main() -> None:
    """Placeholder until the command line room is opened."""
    raise SystemExit("not built yet")
