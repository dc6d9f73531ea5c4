"""What git says about trees and references, as values.

In the flow: between the output of `ls-remote`, `ls-tree` and `cat-file` and their readers. Pure.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from thv.clients.git.errors import GitError


class Kind(StrEnum):
    """What an entry of a tree is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "symbolic link"
    SUBMODULE = "submodule"


_KINDS = {
    "040000": Kind.FOLDER,
    "100644": Kind.FILE,
    "100755": Kind.FILE,
    "100664": Kind.FILE,
    "120000": Kind.LINK,
    "160000": Kind.SUBMODULE,
}


class TreeEntry(NamedTuple):
    """One name in a commit; `path` is relative to where the listing began, and never a path of this machine."""

    kind: Kind
    oid: str
    path: str


def parse_tree(listing: bytes) -> tuple[TreeEntry, ...]:
    """The entries of `ls-tree -z`, in git's order; names that are no UTF-8 are shown with replacements."""
    return tuple(_entry(line) for line in listing.split(b"\0") if line)


def parse_refs(listing: bytes) -> dict[str, str]:
    """References and what they point at, from `ls-remote`."""
    pairs = (line.split("\t", 1) for line in listing.decode("utf-8", "replace").splitlines())
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def resolved(refs: dict[str, str], ref: str) -> str | None:
    """The commit of exactly this reference: of an annotated tag, the commit behind it."""
    return refs.get(f"{ref}^{{}}") or refs.get(ref)


def _entry(line: bytes) -> TreeEntry:
    head, _, path = line.partition(b"\t")
    fields = head.decode("ascii", "replace").split(" ")
    if len(fields) != 3:
        raise GitError("git listed a tree in a form that is not known")
    kind = _KINDS.get(fields[0], Kind.SUBMODULE)  # an unknown mode is nothing to read
    return TreeEntry(kind, fields[2], path.decode("utf-8", "replace"))
