"""The bare repository on disk, written by ourselves: no template, so no hook, and a configuration we know.

In the flow: before a fetch, and once more after it, because git notes there that content may be missing and would
then try to fetch while reading.
"""

from __future__ import annotations

from pathlib import Path

_SHA1 = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
_SHA256 = (
    "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n"
)


def make_bare(folder: Path, commit: str) -> None:
    """Turns an existing empty folder into a repository of the object format that `commit` has."""
    for name in ("objects", "refs", "home"):
        (folder / name).mkdir(mode=0o700)
    (folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
    write_config(folder, commit)


def write_config(folder: Path, commit: str) -> None:
    """Replaces whatever git wrote into the configuration."""
    text = _SHA256 if len(commit) == 64 else _SHA1
    (folder / "config").write_text(text, encoding="ascii")
