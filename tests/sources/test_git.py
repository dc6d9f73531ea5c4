from __future__ import annotations

import gc
import gzip
import os
import re
from pathlib import Path

import pytest

from tests.contracts.source.world import content_of
from tests.git_server import PASSWORD, SEARCH_PATH, TOKEN, USER, Bare, GitHost, SshHost, host, ssh
from thv.clients.git.client import Git
from thv.clients.git.limits import Limits
from thv.clients.http.guard import AllowList
from thv.domain import registry as specs
from thv.domain.errors import Code, Next, ThvError
from thv.sources.base import Document, Known, SecretData, Unchanged
from thv.sources.git import GitSource
from thv.sources.git_access import GitAccess

__all__ = ["host", "ssh"]
pytestmark = [pytest.mark.anyio, pytest.mark.flows, pytest.mark.requirement("REG-04")]

AUTH = specs.AuthSecret(name="git-read")


class Place:
    """A repository on a host, and a source for any spec about it."""

    def __init__(self, host: GitHost, scratch: Path, name: str) -> None:
        self.host = host
        self.scratch = scratch
        self.name = name
        self.bare: Bare = host.repository(name)

    def source(
        self,
        how: str = "smart",
        *,
        secret: dict[str, bytes] | None = None,
        limits: Limits | None = None,
        search_path: str = SEARCH_PATH,
        **settings: str,
    ) -> GitSource:
        async def read_secret(name: str) -> SecretData:
            return SecretData(secret or {})

        async def read_config_map(name: str) -> dict[str, bytes]:
            raise AssertionError(name)

        spec = specs.GitSource(
            repository=self.host.url(self.name, how),
            auth_secret=AUTH if secret else None,
            **settings,  # type: ignore[arg-type]
        )
        access = GitAccess(
            git=Git(scratch=self.scratch, limits=limits, search_path=search_path),
            read_secret=read_secret,
            read_config_map=read_config_map,
            allow=AllowList.parse([f"127.0.0.1:{self.host.port}"]),
        )
        return GitSource(spec, access)


@pytest.fixture
def place(host: GitHost, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    return Place(host, tmp_path, re.sub(r"[^a-z_0-9]+", "-", request.node.name))


async def document(source: GitSource, known: Known = Known()) -> Document:  # noqa: B008
    found = await source.fetch(known)
    assert isinstance(found, Document)
    return found


async def error_of(source: GitSource) -> ThvError:
    with pytest.raises(ThvError) as caught:
        await source.fetch(Known())
    return caught.value


async def test_the_revision_is_the_commit(place: Place) -> None:
    commit = place.bare.commit({"registry.json": b"{}"})
    found = await document(place.source())
    assert found.known.revision == commit
    assert await content_of(found) == b"{}"
    assert os.listdir(place.scratch) == []


async def test_a_folder_gives_one_part_an_entry(place: Place) -> None:
    place.bare.commit(
        {
            "registry/osv/spec.yaml": b"osv",
            "registry/a.yaml": b"a",
            "registry/README.md": b"no entry",
            "registry/x/y/spec.yaml": b"too deep",
            "registry/.hidden/spec.yaml": b"hidden",
        },
        links={"registry/link.yaml": "/etc/passwd"},
        submodules={"registry/sub.yaml": "1" * 40},
    )
    found = await document(place.source(path="registry/"))
    assert found.folder
    parts = {part.path: b"".join([x async for x in part.chunks]) async for part in found.parts}
    assert parts == {"a.yaml": b"a", "link.yaml": b"/etc/passwd", "osv/spec.yaml": b"osv"}
    assert list(parts) == sorted(parts)


async def test_a_known_branch_costs_two_requests(place: Place) -> None:
    place.bare.commit({"registry.json": b"{}"})
    source = place.source()
    known = (await document(source)).known
    place.host.requests.clear()
    assert await source.fetch(known) == Unchanged(known)
    assert len(place.host.requests) == 2


async def test_a_commit_that_was_read_is_never_asked_for_again(place: Place) -> None:
    commit = place.bare.commit({"registry.json": b"old"})
    place.bare.commit({"registry.json": b"new"})
    source = place.source(commit=commit)
    found = await document(source)
    assert await content_of(found) == b"old"
    place.host.requests.clear()
    assert await source.fetch(found.known) == Unchanged(found.known)
    assert place.host.requests == []


async def test_a_tag_wins_over_the_branch(place: Place) -> None:
    place.bare.tag("v1", place.bare.commit({"registry.json": b"old"}), annotated=True)
    place.bare.commit({"registry.json": b"new"})
    assert await content_of(await document(place.source(tag="v1"))) == b"old"


async def test_a_commit_that_leaves_the_path_alone_is_no_new_content(place: Place) -> None:
    place.bare.commit({"registry.json": b"{}"})
    source = place.source()
    known = (await document(source)).known
    commit = place.bare.commit({"registry.json": b"{}", "README.md": b"new"})
    found = await source.fetch(known)
    assert isinstance(found, Unchanged)
    assert found.known.revision == commit
    assert os.listdir(place.scratch) == []


async def test_a_packed_file_is_unpacked(place: Place) -> None:
    place.bare.commit({"registry.json.gz": gzip.compress(b"{}")})
    assert await content_of(await document(place.source(path="registry.json.gz"))) == b"{}"


async def test_a_dropped_document_leaves_nothing(place: Place) -> None:
    place.bare.commit({"registry.json": b"{}"})
    await document(place.source())
    gc.collect()
    assert os.listdir(place.scratch) == []


@pytest.mark.parametrize(
    ("how", "secret"),
    [
        ("basic", {"username": USER.encode(), "password": PASSWORD.encode()}),
        ("basic", {"token": TOKEN.encode()}),
        ("bearer", {"token": TOKEN.encode() + b"\n"}),
    ],
)
async def test_a_secret_opens_a_private_repository(
    place: Place, how: str, secret: dict[str, bytes]
) -> None:
    place.bare.commit({"registry.json": b"{}"})
    assert await content_of(await document(place.source(how, secret=secret))) == b"{}"
    wrong = dict.fromkeys(secret, b"wr0ng-canary")
    error = await error_of(place.source(how, secret=wrong))
    assert error.code is Code.AUTHENTICATION_FAILED
    assert "canary" not in f"{error.message}{error.hint}{error.details}{error.__cause__!r}"


async def test_ssh_works_with_a_key_and_known_hosts(ssh: SshHost, tmp_path: Path) -> None:
    Bare(ssh.root / "osv.git").commit({"registry.json": b"{}"})
    held = {"ssh-privatekey": ssh.key, "known_hosts": ssh.known_hosts("127.0.0.1")}

    async def read_secret(name: str) -> SecretData:
        return SecretData(held)

    async def read_config_map(name: str) -> dict[str, bytes]:
        raise AssertionError(name)

    access = GitAccess(
        git=Git(scratch=tmp_path, search_path=SEARCH_PATH),
        read_secret=read_secret,
        read_config_map=read_config_map,
        allow=AllowList.parse([f"127.0.0.1:{ssh.port}"]),
    )
    url = ssh.url("osv", host="127.0.0.1")
    source = GitSource(specs.GitSource(repository=url, auth_secret=AUTH), access)
    assert await content_of(await document(source)) == b"{}"
    held["known_hosts"] = ssh.known_hosts("other.test")
    error = await error_of(source)
    assert error.code is Code.TLS_VERIFICATION_FAILED
    assert "ssh-keyscan" in error.hint


async def test_a_missing_path_names_path_commit_and_the_nearest_names(place: Place) -> None:
    commit = place.bare.commit({"mcp/registry.json": b"{}", "mcp/notes.md": b""})
    error = await error_of(place.source(path="mcp/registry.jsn"))
    assert error.code is Code.PATH_NOT_FOUND
    assert error.message == (
        f'"mcp/registry.jsn" is not in branch main (commit {commit[:12]}): '
        'mcp has no "registry.jsn"'
    )
    assert error.hint == ('correct spec.source.git.path; the nearest names there: "registry.json"')


async def test_a_missing_branch_names_the_nearest(place: Place) -> None:
    place.bare.commit({"registry.json": b"{}"})
    error = await error_of(place.source(branch="mian"))
    assert error.code is Code.SOURCE_NOT_FOUND
    assert "has no branch mian" in error.message
    assert error.details == {"existing": ["main"]}


@pytest.mark.parametrize("path", ["passwd", "sub", "folder/passwd"])
async def test_links_and_submodules_are_refused_in_so_many_words(place: Place, path: str) -> None:
    place.bare.commit(
        {"registry.json": b"{}"},
        links={"passwd": "/etc/passwd", "folder": "/etc"},
        submodules={"sub": "1" * 40},
    )
    error = await error_of(place.source(path=path))
    assert error.code is Code.PATH_NOT_FOUND
    assert "which is not followed" in error.message
    assert os.listdir(place.scratch) == []


async def test_a_pointer_of_git_lfs_is_no_content(place: Place) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 9\n"
    place.bare.commit({"registry.json": pointer})
    error = await error_of(place.source())
    assert error.code is Code.FORMAT_UNSUPPORTED
    assert "Git LFS" in error.message


async def test_a_folder_without_entries_is_no_registry(place: Place) -> None:
    place.bare.commit({"docs/README.md": b""})
    error = await error_of(place.source(path="docs"))
    assert (error.code, error.next) == (Code.PATH_NOT_FOUND, Next.NEVER)


async def test_bounds_are_those_of_files_and_bytes(place: Place) -> None:
    place.bare.commit({f"all/{n}.yaml": b"x" * 400 for n in range(3)})
    for limits in (Limits(files=2), Limits(total=1000), Limits(disk=10)):
        error = await error_of(place.source(path="all", limits=limits))
        assert error.code is Code.SIZE_LIMIT_EXCEEDED
    assert os.listdir(place.scratch) == []


async def test_a_machine_without_git_says_which_package_to_install(
    place: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("bin")
    error = await error_of(place.source(search_path=str(empty)))
    assert error.code is Code.TOOL_MISSING
    assert "apt-get install git" in error.hint


async def test_a_scratch_folder_that_cannot_be_is_an_error_of_ours(place: Place) -> None:
    place.scratch /= "file"
    place.scratch.write_text("in the way")
    error = await error_of(place.source())
    assert (error.code, error.next) == (Code.SOURCE_UNREACHABLE, Next.BACKOFF)
    assert error.message.startswith("this machine cannot run git: ")


@pytest.mark.parametrize(
    ("how", "code", "next_"),
    [
        ("redirect", Code.SOURCE_NOT_FOUND, Next.NEVER),
        ("limited", Code.RATE_LIMITED, Next.BACKOFF),
        ("broken", Code.SOURCE_UNREACHABLE, Next.BACKOFF),
        ("stall", Code.SOURCE_TIMEOUT, Next.BACKOFF),
    ],
)
async def test_what_a_host_does_has_a_code_and_a_next_step(
    place: Place, how: str, code: Code, next_: Next
) -> None:
    error = await error_of(place.source(how, limits=Limits(seconds=0.4)))
    assert (error.code, error.next) == (code, next_)


async def test_specs_that_name_other_content_have_other_origins(place: Place) -> None:
    sources = [
        place.source(),
        place.source(branch="b"),
        place.source(tag="b"),
        place.source(path="b"),
        place.source(commit="b" * 40),
    ]
    assert len({source.origin for source in sources}) == len(sources)
    assert place.source(secret={"token": b"x"}).origin == place.source().origin
