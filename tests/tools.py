"""Says which programs the tests find on this machine, and how to get those that are missing: `python -m tests.tools`.

Tests that need a program that is missing are skipped and say so; nothing here is needed to run the product.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from tests.git_server import GIT, SSHD


class Tool(NamedTuple):
    """A program, where it was found, and what it is for."""

    name: str
    place: str
    package: str
    purpose: str


def tools() -> list[Tool]:
    """Every program that some test wants."""
    return [
        Tool("git", GIT, "git", "sources and samples from Git"),
        Tool("sshd", SSHD, "openssh-server", "Git over SSH"),
        Tool("openssl", shutil.which("openssl") or "", "openssl", "Git over TLS"),
        Tool("chromium", shutil.which("chromium") or "", "chromium", "the API in a real browser"),
        Tool("strace", shutil.which("strace") or "", "strace", "kill -9 at every durable write"),
    ]


def main() -> None:
    for tool in tools():
        found = tool.place or f"missing: apt-get install {tool.package}"
        print(f"{tool.name:<8} {found:<40} {tool.purpose}")
    data = os.environ.get("THV_REAL_DATA", "")
    state = (
        data if data and Path(data).is_dir() else "not set: tests of real registries are skipped"
    )
    print(f"{'THV_REAL_DATA':<8} {state}")


if __name__ == "__main__":
    main()
