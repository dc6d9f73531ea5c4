"""The console script `thv`: one program, a subcommand a role."""

from __future__ import annotations

from thv.apps.cli.main import main

__all__ = ["main"]
