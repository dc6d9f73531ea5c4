"""Git through an outbound proxy, which resolves the names that this machine cannot."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.http.places import ForwardProxy, Names
from tests.git_server import GIT, SEARCH_PATH, GitHost, certificate_for, git_host
from thv.clients.git.address import parse_address
from thv.clients.git.client import Git, Remote, branch
from thv.clients.git.credentials import Bearer
from thv.clients.git.environment import Via
from thv.clients.git.errors import HostUnreachableError, ProxyFailedError
from thv.clients.http.errors import AddressDeniedError
from thv.clients.http.guard import AllowList
from thv.clients.http.proxy import Proxy
from thv.domain.registry import AuthSecret, GitSource
from thv.sources.base import Document, Known, SecretData
from thv.sources.git import GitSource as Source
from thv.sources.git_access import GitAccess

pytestmark = [pytest.mark.anyio, pytest.mark.flows, pytest.mark.requirement("REG-04", "SYN-04")]

PASSWORD = "ca:na@ry"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def names() -> Names:
    return Names()


class Secure:
    """A host that speaks TLS under a name that this machine cannot resolve."""

    def __init__(self, host: GitHost, roots: bytes) -> None:
        self.host = host
        self.roots = roots


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    if not GIT:
        pytest.skip("git is not installed: no Git host to test against")
    folder = tmp_path_factory.mktemp("secure")
    files = certificate_for(folder, "git.test")
    with git_host(folder / "repositories", certificate=files) as host:
        host.repository("r").commit({"registry.json": b'{"servers": {}}'})
        yield Secure(host, files[0].read_bytes())


def remote(secure: Secure, proxy: ForwardProxy, username: str = "") -> Remote:
    """By a proxy whose name only the pin resolves."""
    chosen = Proxy.parse(f"http://proxy.test:{proxy.port}", username=username, password=PASSWORD)
    address = parse_address(secure.host.url("r", host="git.test"))
    return Remote(address, (), Bearer("token"), secure.roots, Via(chosen, ("127.0.0.1",)))


async def commit_of(folder: Path, place: Remote) -> str:
    async with Git(scratch=folder, search_path=SEARCH_PATH).session(place) as session:
        return await session.commit_of(branch("main"))


async def test_the_host_sees_the_credentials_and_the_proxy_its_own(
    secure: Secure, tmp_path: Path
) -> None:
    async with ForwardProxy().running() as proxy:
        assert len(await commit_of(tmp_path, remote(secure, proxy, "me"))) == 40
    assert set(proxy.asked) == {f"CONNECT git.test:{secure.host.port}"}
    sent = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    assert f"Proxy-Authorization: Basic {sent}" in proxy.heads[0]
    assert "Bearer" not in proxy.heads[0]
    _, _, headers = secure.host.requests[-1]
    assert headers["authorization"] == "Bearer token"
    assert "proxy-authorization" not in headers


async def test_a_proxy_that_refuses_is_named_and_nothing_is_told_of_it(
    secure: Secure, tmp_path: Path
) -> None:
    async with ForwardProxy().running() as proxy:
        proxy.refuses = True
        with pytest.raises(ProxyFailedError, match="the outbound proxy does not lead") as error:
            await commit_of(tmp_path, remote(secure, proxy, "me"))
    assert PASSWORD not in str(error.value)
    with pytest.raises(HostUnreachableError) as gone:
        await commit_of(tmp_path, remote(secure, proxy, "me"))
    assert PASSWORD not in str(gone.value)


def access(
    secure: Secure, proxy: ForwardProxy, names: Names, folder: Path, *allow: str
) -> GitAccess:
    async def key(_name: str) -> SecretData:
        return SecretData({"ssh-privatekey": b"k", "known_hosts": b"h"})

    async def nothing(_name: str) -> dict[str, bytes]:
        raise AssertionError("not asked for")

    names.say("proxy.test", "127.0.0.1")
    return GitAccess(
        git=Git(scratch=folder, search_path=SEARCH_PATH),
        read_secret=key,
        read_config_map=nothing,
        resolve=names,
        allow=AllowList.parse(allow),
        proxy=Proxy.parse(f"http://proxy.test:{proxy.port}", direct=("*.inside.test",)),
        trust=secure.roots,
    )


async def test_a_source_goes_through_the_proxy_and_trusts_the_roots_of_all(
    secure: Secure, names: Names, tmp_path: Path
) -> None:
    spec = GitSource(repository=secure.host.url("r", host="git.test"), path="registry.json")
    async with ForwardProxy().running() as proxy:
        source = Source(spec, access(secure, proxy, names, tmp_path))
        document = await source.fetch(Known(origin=source.origin))
        assert isinstance(document, Document)
        assert proxy.asked


async def test_what_can_be_judged_here_is_judged_before_the_proxy_is_asked(
    secure: Secure, names: Names, tmp_path: Path
) -> None:
    names.say("private.test", "10.0.0.1")
    async with ForwardProxy().running() as proxy:
        judge = access(secure, proxy, names, tmp_path)
        for place in ("private.test", "169.254.169.254", "metadata.google.internal", "jenkins"):
            with pytest.raises(AddressDeniedError):
                await judge.remotes(GitSource(repository=f"https://{place}/r.git"))
        names.say("git.inside.test", "10.0.0.1")
        direct = access(secure, proxy, names, tmp_path, "git.inside.test:443")
        (found,) = await direct.remotes(GitSource(repository="https://git.inside.test/r.git"))
        assert (found.via, found.pinned) == (None, ("10.0.0.1",))
        names.say("ssh.test", "93.184.1.1")
        by_key = GitSource(repository="git@ssh.test:r.git", auth_secret=AuthSecret(name="key"))
        (found,) = await judge.remotes(by_key)
        assert (found.via, found.pinned) == (None, ("93.184.1.1",))
    assert proxy.asked == []
