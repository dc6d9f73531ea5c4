from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tests.clients.git.test_client import commit_of, git_in, read
from tests.git_server import Bare, SshHost, new_ssh_key, ssh

from thv.clients.git.address import parse_address
from thv.clients.git.client import Remote
from thv.clients.git.credentials import Credentials, SshKey
from thv.clients.git.errors import (
    AuthenticationFailedError,
    HostKeyChangedError,
    HostKeyUnknownError,
    HostUnreachableError,
    RepositoryNotFoundError,
)

__all__ = ["ssh"]
pytestmark = [pytest.mark.flows, pytest.mark.requirement("REG-04")]


def remote(url: str, credentials: Credentials | None, *pinned: str) -> Remote:
    return Remote(parse_address(url), pinned or ("127.0.0.1",), credentials)


def test_a_repository_is_read_with_a_key(ssh: SshHost, tmp_path: Path) -> None:
    Bare(ssh.root / "osv.git").commit({"registry.json": b"{}"})
    place = remote(ssh.url("osv"), SshKey(ssh.key, ssh.known_hosts()))
    assert asyncio.run(read(git_in(tmp_path), place)) == {"registry.json": b"{}"}
    assert os.listdir(tmp_path) == []


def test_the_second_checked_address_is_used_when_the_first_is_down(
    ssh: SshHost, tmp_path: Path
) -> None:
    commit = Bare(ssh.root / "two.git").commit({"registry.json": b"{}"})
    key = SshKey(ssh.key.replace(b"\n", b"\r\n"), ssh.known_hosts())  # as some editors save it
    place = remote(ssh.url("two"), key, "127.0.0.2", "127.0.0.1")
    assert asyncio.run(commit_of(git_in(tmp_path), place)) == commit


def test_each_refusal_has_its_error(ssh: SshHost, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    git, url = git_in(scratch), ssh.url("nowhere")
    known, other = ssh.known_hosts(), new_ssh_key(tmp_path / "other")
    table: list[tuple[type[Exception], Remote]] = [
        (RepositoryNotFoundError, remote(url, SshKey(ssh.key, known))),
        (HostKeyUnknownError, remote(url, SshKey(ssh.key, ssh.known_hosts("other.test")))),
        (HostKeyChangedError, remote(url, SshKey(ssh.key, ssh.known_hosts(key=other)))),
        (AuthenticationFailedError, remote(url, SshKey(other.read_bytes(), known))),
        (AuthenticationFailedError, remote(url, SshKey(b"no key", known))),
        (AuthenticationFailedError, remote(url, None)),
        (HostUnreachableError, remote(url, SshKey(ssh.key, known), "127.0.0.2")),
    ]
    for kind, place in table:
        with pytest.raises(kind) as caught:
            asyncio.run(commit_of(git, place))
        assert type(caught.value) is kind
        assert ssh.user not in str(caught.value).split()
    assert os.listdir(scratch) == []
