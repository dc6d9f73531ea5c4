from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import uvloop
from tests.git_server import (
    PASSWORD,
    SEARCH_PATH,
    TOKEN,
    USER,
    GitHost,
    certificate_for,
    git_host,
    host,
)

from thv.clients.git.address import parse_address
from thv.clients.git.client import Git, Remote, Session, Want, branch, commit, tag
from thv.clients.git.credentials import Basic, Bearer, Credentials
from thv.clients.git.errors import (
    AuthenticationFailedError,
    GitError,
    GitMissingError,
    HostUnreachableError,
    PathNotFoundError,
    RateLimitedError,
    RedirectRefusedError,
    RefNotFoundError,
    RepositoryNotFoundError,
    TimedOutError,
    TlsFailedError,
    TooLargeError,
)
from thv.clients.git.limits import Limits
from thv.clients.git.repository import Repository
from thv.clients.git.tree import Kind

__all__ = ["host"]
pytestmark = [pytest.mark.flows, pytest.mark.requirement("REG-04")]

MAIN = branch("main")


def git_in(folder: Path, **limits: float) -> Git:
    return Git(scratch=folder, limits=Limits(**limits), search_path=SEARCH_PATH)  # type: ignore[arg-type]


def remote(url: str, credentials: Credentials | None = None, *, roots: bytes = b"") -> Remote:
    return Remote(parse_address(url), ("127.0.0.1",), credentials, roots)


@contextlib.asynccontextmanager
async def fetched(
    git: Git, place: Remote, want: Want = MAIN
) -> AsyncIterator[tuple[Session, Repository]]:
    folder = git.scratch / "bare"
    folder.mkdir()
    try:
        async with git.session(place) as session:
            at = await session.commit_of(want)
            yield session, await session.fetch(want, at, folder)
    finally:
        shutil.rmtree(folder)


async def contents(session: Session, repository: Repository, path: str) -> dict[str, bytes]:
    entry = await repository.find(path)
    files = (entry,) if entry.kind is Kind.FILE else await repository.below(entry)
    await session.load(repository, [file.oid for file in files])
    reader = await repository.reader()
    try:
        return {
            file.path: b"".join([chunk async for chunk in reader.chunks(file.oid)])
            for file in files
        }
    finally:
        await reader.close()


async def read(
    git: Git, place: Remote, path: str = "registry.json", want: Want = MAIN
) -> dict[str, bytes]:
    async with fetched(git, place, want) as (session, repository):
        return await contents(session, repository, path)


async def commit_of(git: Git, place: Remote, want: Want = MAIN) -> str:
    async with git.session(place) as session:
        return await session.commit_of(want)


@pytest.mark.parametrize("how", ["smart", "first"])
@pytest.mark.parametrize("filters", ["true", "false"])
def test_a_file_and_a_folder_are_read_from_every_kind_of_http_host(
    host: GitHost, tmp_path: Path, how: str, filters: str
) -> None:
    name = f"kinds-{how}-{filters}"
    bare = host.repository(name)
    bare.config("uploadpack.allowFilter", filters)
    bare.commit({"registry.json": b"{}", "all/a.yaml": b"a: 1", "all/b/spec.yaml": b"b" * 200_000})
    git = git_in(tmp_path)

    async def both() -> tuple[dict[str, bytes], dict[str, bytes]]:
        place = remote(host.url(name, how))
        return await read(git, place), await read(git, place, "all")

    file, folder = asyncio.run(both())
    assert file == {"registry.json": b"{}"}
    assert folder == {"a.yaml": b"a: 1", "b/spec.yaml": b"b" * 200_000}
    assert os.listdir(tmp_path) == []


def test_only_the_wanted_files_are_fetched(host: GitHost, tmp_path: Path) -> None:
    bare = host.repository("partial")
    bare.commit({"registry.json": b"{}", "big.bin": os.urandom(3_000_000)})

    async def size() -> int:
        async with fetched(git_in(tmp_path), remote(host.url("partial"))) as (session, repository):
            await contents(session, repository, "registry.json")
            return sum(f.stat().st_size for f in repository.folder.rglob("*") if f.is_file())

    assert asyncio.run(size()) < 100_000


def test_a_check_for_changes_fetches_nothing(host: GitHost, tmp_path: Path) -> None:
    first = host.repository("check").commit({"registry.json": b"{}"})
    host.requests.clear()
    assert asyncio.run(commit_of(git_in(tmp_path), remote(host.url("check")))) == first
    assert len(host.requests) == 2  # what the host can do, and the one reference


@pytest.mark.parametrize("annotated", [False, True])
def test_a_tag_means_the_commit_behind_it(host: GitHost, tmp_path: Path, annotated: bool) -> None:
    name = f"tags-{annotated}"
    bare = host.repository(name)
    old = bare.commit({"registry.json": b"old"})
    bare.tag("v1.0.0", old, annotated=annotated)
    bare.commit({"registry.json": b"new"})
    git, place, want = git_in(tmp_path), remote(host.url(name)), tag("v1.0.0")
    assert asyncio.run(commit_of(git, place, want)) == old
    assert asyncio.run(read(git, place, want=want)) == {"registry.json": b"old"}


@pytest.mark.parametrize("how", ["smart", "first"])
def test_a_commit_is_read_also_where_the_host_refuses_it_by_its_id(
    host: GitHost, tmp_path: Path, how: str
) -> None:
    bare = host.repository(f"commit-{how}")
    old = bare.commit({"registry.json": b"old"})
    bare.commit({"registry.json": b"new"})
    place = remote(host.url(f"commit-{how}", how))
    found = asyncio.run(read(git_in(tmp_path), place, want=commit(old)))
    assert found == {"registry.json": b"old"}


def test_a_repository_with_sha256_is_read(host: GitHost, tmp_path: Path) -> None:
    oid = host.repository("sha256", sha256=True).commit({"registry.json": b"{}"})
    git, place = git_in(tmp_path), remote(host.url("sha256"))
    assert len(oid) == 64
    assert asyncio.run(read(git, place)) == {"registry.json": b"{}"}
    assert asyncio.run(read(git, place, want=commit(oid))) == {"registry.json": b"{}"}


def test_a_branch_that_moves_between_check_and_fetch_gives_its_new_commit(
    host: GitHost, tmp_path: Path
) -> None:
    bare = host.repository("moving")
    old = bare.commit({"registry.json": b"old"})

    async def fetch_late() -> tuple[str, dict[str, bytes]]:
        folder = tmp_path / "bare"
        folder.mkdir()
        async with git_in(tmp_path).session(remote(host.url("moving"))) as session:
            repository = await session.fetch(MAIN, old, folder)
            return repository.commit, await contents(session, repository, "registry.json")

    new = bare.commit({"registry.json": b"new"})
    assert asyncio.run(fetch_late()) == (new, {"registry.json": b"new"})


@pytest.mark.parametrize(
    ("how", "credentials"),
    [
        ("basic", Basic(USER, PASSWORD)),
        ("basic", Basic("x-access-token", TOKEN)),
        ("bearer", Bearer(TOKEN)),
    ],
)
def test_credentials_open_a_private_repository(
    host: GitHost, tmp_path: Path, how: str, credentials: Credentials
) -> None:
    name = f"private-{credentials.header[-6:]}"  # type: ignore[union-attr]
    host.repository(name).commit({"registry.json": b"{}"})
    place = remote(host.url(name, how), credentials)
    assert asyncio.run(read(git_in(tmp_path), place)) == {"registry.json": b"{}"}


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("basic", AuthenticationFailedError),
        ("bearer", AuthenticationFailedError),
        ("forbidden", AuthenticationFailedError),
        ("redirect", RedirectRefusedError),
        ("limited", RateLimitedError),
        ("broken", HostUnreachableError),
        ("smart", RepositoryNotFoundError),
    ],
)
def test_each_refusal_has_its_error_and_repeats_no_credential(
    host: GitHost, tmp_path: Path, how: str, kind: type[Exception]
) -> None:
    place = remote(host.url("nowhere", how), Basic("someone", "wr0ng-canary"))
    with pytest.raises(kind) as caught:
        asyncio.run(commit_of(git_in(tmp_path), place))
    assert "canary" not in f"{caught.value!r}{caught.value.__context__!r}"
    assert type(caught.value) is kind


def test_a_name_is_never_resolved_by_git(host: GitHost, tmp_path: Path) -> None:
    host.repository("pinned").commit({"registry.json": b"{}"})
    place = remote(host.url("pinned", host="git.does-not-exist.test"))
    assert asyncio.run(read(git_in(tmp_path), place)) == {"registry.json": b"{}"}


def test_the_surroundings_of_the_process_do_not_matter(
    host: GitHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        '[http]\n\tproxy = http://127.0.0.1:9\n\textraHeader = "X: y"\n'
    )
    (home / ".netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    for name in ("http_proxy", "https_proxy", "all_proxy", "GIT_PROXY_COMMAND"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    host.repository("around").commit({"registry.json": b"{}"})
    host.requests.clear()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    asyncio.run(read(git_in(scratch), remote(host.url("around"))))
    assert not any({"x", "authorization"} & headers.keys() for _, _, headers in host.requests)


def test_missing_names_come_with_those_that_exist(host: GitHost, tmp_path: Path) -> None:
    bare = host.repository("names")
    bare.commit({"a/registry.json": b"{}", "a/readme.md": b""}, links={"link": "a"})
    bare.commit({"x": b""}, branch="stable/1")
    git, place = git_in(tmp_path), remote(host.url("names"))
    with pytest.raises(RefNotFoundError) as no_branch:
        asyncio.run(commit_of(git, place, branch("master")))
    assert set(no_branch.value.existing) == {"main", "stable/1"}
    with pytest.raises(PathNotFoundError, match=r'a has no "registry\.jsn"') as no_file:
        asyncio.run(read(git, place, "a/registry.jsn"))
    assert set(no_file.value.existing) == {"registry.json", "readme.md"}
    with pytest.raises(PathNotFoundError, match=r'"a/readme\.md" is a file, not a folder'):
        asyncio.run(read(git, place, "a/readme.md/x"))
    with pytest.raises(RefNotFoundError):
        asyncio.run(read(git, place, want=commit("1" * 40)))
    with pytest.raises(RefNotFoundError):
        asyncio.run(commit_of(git, place, tag("v1")))


def test_an_empty_repository_has_no_branch(host: GitHost, tmp_path: Path) -> None:
    host.repository("empty")
    with pytest.raises(RefNotFoundError) as caught:
        asyncio.run(commit_of(git_in(tmp_path), remote(host.url("empty"))))
    assert caught.value.existing == ()


def test_a_host_that_stalls_is_left_in_time_and_nothing_stays(
    host: GitHost, tmp_path: Path
) -> None:
    host.repository("slow").commit({"registry.json": b"{}"})
    with pytest.raises(TimedOutError):
        asyncio.run(commit_of(git_in(tmp_path, seconds=0.3), remote(host.url("slow", "stall"))))
    assert os.listdir(tmp_path) == []
    assert _processes_of(tmp_path) == []


def test_it_works_on_the_event_loop_of_a_real_process(host: GitHost, tmp_path: Path) -> None:
    host.repository("uvloop").commit({"registry.json": b"{}"})
    place = remote(host.url("uvloop"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(read(git_in(tmp_path), place)) == {"registry.json": b"{}"}
        stalled = remote(host.url("uvloop", "stall"))
        with pytest.raises(TimedOutError):
            runner.run(commit_of(git_in(tmp_path, seconds=0.3), stalled))
    assert _processes_of(tmp_path) == []


def test_a_cancelled_look_leaves_no_process(host: GitHost, tmp_path: Path) -> None:
    place = remote(host.url("slow", "stall"))

    async def cancelled() -> None:
        look = asyncio.ensure_future(commit_of(git_in(tmp_path), place))
        while not _processes_of(tmp_path):  # noqa: ASYNC110 - of the operating system, which tells nobody
            await asyncio.sleep(0)
        look.cancel()
        with pytest.raises(asyncio.CancelledError):
            await look

    asyncio.run(cancelled())
    assert os.listdir(tmp_path) == []
    assert _processes_of(tmp_path) == []


def test_a_host_that_nobody_listens_for_is_unreachable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(HostUnreachableError):
        asyncio.run(commit_of(git_in(tmp_path), remote(f"http://127.0.0.1:{port}/r.git")))


def test_a_host_that_talks_nonsense_is_an_error_and_no_content(tmp_path: Path) -> None:
    with _babbling() as port, pytest.raises(GitError):
        asyncio.run(commit_of(git_in(tmp_path), remote(f"http://127.0.0.1:{port}/r.git")))


def test_disk_memory_files_and_bytes_are_bounded(host: GitHost, tmp_path: Path) -> None:
    bare = host.repository("bounds")
    bare.config("uploadpack.allowFilter", "false")
    bare.commit({"a": os.urandom(4_000_000), "b/1": b"x" * 600, "b/2": b"y" * 600})
    place = remote(host.url("bounds"))
    with pytest.raises(TooLargeError):
        asyncio.run(read(git_in(tmp_path, disk=1_000_000), place, "b"))
    with pytest.raises(TooLargeError, match="1200 bytes in 2 files"):
        asyncio.run(read(git_in(tmp_path, total=1000), place, "b"))
    with pytest.raises(TooLargeError, match="2 files"):
        asyncio.run(read(git_in(tmp_path, files=1), place, "b"))
    with pytest.raises(TooLargeError):
        asyncio.run(read(git_in(tmp_path, listing=20), place, "b"))
    assert os.listdir(tmp_path) == []


def test_a_missing_or_old_git_is_said(
    host: GitHost, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("bin")
    place = remote(host.url("any"))
    with pytest.raises(GitMissingError, match="not installed"):
        asyncio.run(commit_of(Git(scratch=tmp_path, search_path=str(empty)), place))
    (empty / "git").write_text("#!/bin/sh\necho git version 2.36.6\n")
    (empty / "git").chmod(0o755)
    with pytest.raises(GitMissingError, match=r"2\.37 or newer"):
        asyncio.run(commit_of(Git(scratch=tmp_path, search_path=str(empty)), place))


def test_tls_is_verified_against_the_given_roots(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: no certificate to test with")
    certificate = certificate_for(tmp_path / "tls", "git.test")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with git_host(tmp_path / "root", certificate=certificate) as secure:
        secure.repository("r").commit({"registry.json": b"{}"})
        git, url = git_in(scratch), secure.url("r", host="git.test")
        with pytest.raises(TlsFailedError):
            asyncio.run(commit_of(git, remote(url)))
        roots = certificate[0].read_bytes()
        assert asyncio.run(read(git, remote(url, roots=roots))) == {"registry.json": b"{}"}
        other = secure.url("r", host="other.test")
        with pytest.raises(TlsFailedError):
            asyncio.run(commit_of(git, remote(other, roots=roots)))


def _processes_of(scratch: Path) -> list[str]:
    """The processes that work in a folder."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and str(scratch) in os.readlink(process / "cwd"):
                found.append(process.name)
    return found


@contextlib.contextmanager
def _babbling() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(b"\x00\x01nonsense\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
