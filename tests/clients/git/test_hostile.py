from __future__ import annotations

import asyncio
import hashlib
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from tests.clients.git.test_client import MAIN, commit_of, git_in, read, remote
from tests.git_server import Bare, GitHost, host

from thv.clients.git.client import branch
from thv.clients.git.errors import (
    AddressInvalidError,
    CapabilityMissingError,
    DamagedError,
    GitError,
    PathNotFoundError,
    TooLargeError,
)

__all__ = ["host"]
pytestmark = [pytest.mark.flows, pytest.mark.requirement("REG-04")]


def test_references_that_look_like_options_are_harmless(host: GitHost, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    bare = host.repository("options")
    tree = bare.tree(f"100644 blob {bare.blob(b'{}')}\tregistry.json\0")
    bare.commit_tree(tree)
    for ref in ("-h", f"--upload-pack=touch${{IFS}}{mark.name}", "--exec=x"):
        bare.commit_tree(tree, ref=f"refs/heads/{ref}")
        with pytest.raises(AddressInvalidError):
            branch(ref)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    git, place = git_in(scratch), remote(host.url("options"))
    assert asyncio.run(read(git, place)) == {"registry.json": b"{}"}
    assert not mark.exists()
    assert os.listdir(scratch) == []


def test_nothing_that_a_repository_brings_along_is_carried_out(
    host: GitHost, tmp_path: Path
) -> None:
    mark = tmp_path / "executed"
    bare = host.repository("active")
    bare.config("uploadpack.allowFilter", "false")  # so that all of it comes over
    bare.commit(
        {
            "registry.json": b"{}",
            ".gitattributes": b"* filter=evil diff=evil merge=evil\n",
            ".gitmodules": b'[submodule "s"]\n\tpath = s\n\turl = ../other.git\n\tupdate = checkout\n',
            ".lfsconfig": b"[lfs]\n\turl = http://127.0.0.1:9/\n",
            "hooks/post-checkout": f"#!/bin/sh\ntouch {mark}\n".encode(),
            ".githooks/post-merge": f"#!/bin/sh\ntouch {mark}\n".encode(),
            "config": f'[core]\n\tfsmonitor = "touch {mark}"\n'.encode(),
        },
        submodules={"s": "1" * 40},
    )
    host.requests.clear()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = asyncio.run(read(git_in(scratch), remote(host.url("active"))))
    assert found == {"registry.json": b"{}"}
    assert not mark.exists()
    assert {path.split("/")[2] for _, path, _ in host.requests} == {"active.git"}


@pytest.mark.parametrize("path", ["passwd", "up/registry.json", "etc/passwd", "sub", "sub/x"])
def test_links_and_submodules_are_not_followed(host: GitHost, tmp_path: Path, path: str) -> None:
    name = f"links-{path.replace('/', '-')}"
    host.repository(name).commit(
        {"registry.json": b"{}"},
        links={"passwd": "/etc/passwd", "etc": "/etc", "up": "../../.."},
        submodules={"sub": "1" * 40},
    )
    with pytest.raises(PathNotFoundError, match="which is not followed"):
        asyncio.run(read(git_in(tmp_path), remote(host.url(name)), path))


def test_a_link_in_a_folder_is_its_own_text_and_never_its_target(
    host: GitHost, tmp_path: Path
) -> None:
    host.repository("link").commit({"all/a.yaml": b"a: 1"}, links={"all/b.yaml": "/etc/hostname"})
    found = asyncio.run(read(git_in(tmp_path), remote(host.url("link")), "all"))
    assert found == {"a.yaml": b"a: 1", "b.yaml": b"/etc/hostname"}


@pytest.mark.parametrize("names", [["..", "."], [".git"], ["a\nb", "\x1b[31m"]])
def test_names_in_trees_that_lead_out_are_only_names(
    host: GitHost, tmp_path: Path, names: list[str]
) -> None:
    bare = host.repository(f"dots-{len(names)}-{len(names[0])}")
    blob = bare.blob(b"{}")
    below = bare.tree(f"100644 blob {blob}\tregistry.json\0")
    lines = "".join(f"040000 tree {below}\t{name}\0" for name in names)
    bare.commit_tree(bare.tree(lines + f"100644 blob {blob}\tregistry.json\0"))
    try:
        found = asyncio.run(read(git_in(tmp_path), remote(host.url(bare.folder.stem)), "."))
    except DamagedError:  # git's own check of what it fetches
        found = {}
    assert set(found.values()) <= {b"{}"}
    assert list(tmp_path.rglob("*")) == []


def test_twelve_thousand_files_are_too_many(host: GitHost, tmp_path: Path) -> None:
    files = {f"all/{n:05}.yaml": b"n: %d\n" % n for n in range(12_000)}
    host.repository("many").commit(files)
    with pytest.raises(TooLargeError, match="12000 files; the limit is 10000"):
        asyncio.run(read(git_in(tmp_path), remote(host.url("many")), "all"))


def test_ten_thousand_files_come_in_one_request_more(host: GitHost, tmp_path: Path) -> None:
    files = {f"all/{n:05}.yaml": b"n: %d\n" % n for n in range(10_000)}
    host.repository("ten").commit(files)
    host.requests.clear()
    found = asyncio.run(read(git_in(tmp_path), remote(host.url("ten")), "all"))
    assert {f"all/{name}": content for name, content in found.items()} == files
    assert len(host.requests) <= 10


def test_a_file_that_unpacks_to_more_than_the_limit_is_not_read(
    host: GitHost, tmp_path: Path
) -> None:
    host.repository("bomb").commit({"registry.json": b"\0" * 120_000_000})
    with pytest.raises(TooLargeError, match="120000000 bytes"):
        asyncio.run(read(git_in(tmp_path), remote(host.url("bomb"))))


_MOST_MEMORY = """
import asyncio, pathlib, resource, sys
from tests.clients.git.test_client import git_in, read, remote
from thv.clients.git.errors import TooLargeError
url, folder = sys.argv[1:]
try:
    asyncio.run(read(git_in(pathlib.Path(folder), memory=300_000_000), remote(url)))
except TooLargeError:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""In a process of its own, as the figure is of all children that this one ever had."""


def test_a_pack_that_needs_more_memory_than_the_limit_is_refused(
    host: GitHost, tmp_path: Path
) -> None:
    bare = host.repository("delta")
    _add_delta_bomb(bare, 400_000_000)
    most = subprocess.run(
        [sys.executable, "-c", _MOST_MEMORY, host.url("delta"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert int(most) < 300_000, "KiB of the largest process of Git"


def test_references_without_end_are_cut_off(host: GitHost, tmp_path: Path) -> None:
    place = remote(host.url("any", "endless"))
    with pytest.raises(GitError):
        asyncio.run(commit_of(git_in(tmp_path, memory=150_000_000, seconds=20), place, MAIN))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("how", ["dumb", "turncoat"])
def test_a_host_that_would_make_git_fetch_inside_a_fetch_is_left_at_once(
    host: GitHost, tmp_path: Path, how: str
) -> None:
    bare = host.repository(f"walk-{how}")
    bare.config("uploadpack.allowFilter", "true")
    bare.commit({"registry.json": b"{}"})
    host.requests.clear()
    with pytest.raises(CapabilityMissingError, match="smart HTTP or ssh is needed"):
        asyncio.run(read(git_in(tmp_path), remote(host.url(bare.folder.stem, how))))
    assert len(host.requests) <= 8
    assert os.listdir(tmp_path) == []


def _add_delta_bomb(bare: Bare, size: int) -> None:
    """A pack of some kilobytes whose second blob is a delta that copies the first one again and again."""
    base = bytes(65536)
    copies = size // len(base)
    delta = _varint(len(base)) + _varint(copies * len(base)) + b"\x80" * copies
    target = hashlib.sha1(b"blob %d\0" % (copies * len(base)))
    for _ in range(copies):
        target.update(base)
    base_id = hashlib.sha1(b"blob %d\0" % len(base) + base).digest()
    body = b"PACK" + struct.pack(">II", 2, 2)
    body += _head(3, len(base)) + zlib.compress(base)
    body += _head(7, len(delta)) + base_id + zlib.compress(delta)
    pack = bare.folder / "objects" / "pack" / "pack-bomb.pack"
    pack.write_bytes(body + hashlib.sha1(body).digest())
    bare.git("index-pack", str(pack))
    bare.commit_tree(bare.tree(f"100644 blob {target.hexdigest()}\tregistry.json\0"))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _head(kind: int, size: int) -> bytes:
    first, rest = size & 15, size >> 4
    if not rest:
        return bytes([kind << 4 | first])
    return bytes([128 | kind << 4 | first]) + _varint(rest)
