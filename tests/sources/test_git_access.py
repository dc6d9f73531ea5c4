from __future__ import annotations

from pathlib import Path

import pytest

from thv.clients.git import errors
from thv.clients.git.address import parse_address
from thv.clients.git.client import Git
from thv.clients.git.credentials import Basic, Bearer, Credentials, SshKey
from thv.clients.http.errors import AddressDeniedError, HttpError
from thv.clients.http.guard import AllowList
from thv.domain import registry as specs
from thv.domain.errors import Code, Next, ThvError
from thv.domain.fields import ConfigMapKey
from thv.sources.base import SecretData
from thv.sources.git_access import GitAccess, translated, ways_to_prove

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("REG-04")]

HTTPS, SSH = "https://git.corp.example/r.git", "git@git.corp.example:r.git"
AUTH = specs.AuthSecret(name="git-read")


def access_to(
    *addresses: str, secret: SecretData | None = None, allow: tuple[str, ...] = ()
) -> GitAccess:
    async def resolve(host: str, port: int) -> tuple[str, ...]:
        return addresses

    async def read_secret(name: str) -> SecretData:
        assert secret is not None
        return secret

    async def read_config_map(name: str) -> dict[str, bytes]:
        return {"ca.crt": b"PEM"}

    return GitAccess(
        git=Git(scratch=Path("/nowhere")),
        read_secret=read_secret,
        read_config_map=read_config_map,
        resolve=resolve,
        allow=AllowList.parse(allow),
        denied_hint="use --allow",
    )


def spec_of(repository: str, **settings: object) -> specs.GitSource:
    return specs.GitSource(repository=repository, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "held", "ways"),
    [
        (HTTPS, {"token": b"t\n"}, (Basic("x-access-token", "t"), Bearer("t"))),
        (HTTPS, {"token": b"t", "username": b"u"}, (Basic("u", "t"), Bearer("t"))),
        (HTTPS, {"password": b"p", "username": b"u\r\n"}, (Basic("u", "p"),)),
        (
            HTTPS,
            {"token": b"t", "password": b"p", "username": b"u"},
            (Basic("u", "t"), Bearer("t")),
        ),
        (SSH, {"ssh-privatekey": b"k", "known_hosts": b"h", "token": b"t"}, (SshKey(b"k", b"h"),)),
    ],
)
def test_what_the_secret_holds_decides(
    url: str, held: dict[str, bytes], ways: tuple[Credentials, ...]
) -> None:
    assert ways_to_prove(AUTH, SecretData(held), parse_address(url)) == ways


@pytest.mark.parametrize(
    ("url", "held", "said"),
    [
        (HTTPS, {"x": b""}, 'has neither the key "token" nor the key "password"'),
        (HTTPS, {"ssh-privatekey": b"k", "known_hosts": b"h"}, "has neither"),
        (SSH, {"token": b"t"}, 'has no key "ssh-privatekey" for ssh'),
        (SSH, {"ssh-privatekey": b"k"}, 'has no key "known_hosts", without which no ssh host'),
    ],
)
def test_a_secret_that_lacks_something_is_named_with_its_key(
    url: str, held: dict[str, bytes], said: str
) -> None:
    with pytest.raises(ThvError, match=said) as caught:
        ways_to_prove(AUTH, SecretData(held), parse_address(url))
    assert caught.value.code is Code.SECRET_NOT_FOUND
    assert '"git-read"' in caught.value.message


def test_a_secret_that_is_no_text_is_invalid() -> None:
    with pytest.raises(ThvError) as caught:
        ways_to_prove(AUTH, SecretData({"token": b"\xff"}), parse_address(HTTPS))
    assert caught.value.code is Code.INVALID


async def test_connections_go_to_checked_addresses() -> None:
    (remote,) = await access_to("93.184.1.1", "93.184.1.2").remotes(spec_of(HTTPS))
    assert remote.pinned == ("93.184.1.1", "93.184.1.2")
    assert remote.credentials is None


@pytest.mark.requirement("SYN-04")
@pytest.mark.parametrize("url", [HTTPS, SSH, "ssh://git.corp.example:2222/r.git"])
@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1"])
async def test_a_host_that_resolves_to_a_private_address_is_denied(url: str, address: str) -> None:
    with pytest.raises(AddressDeniedError):
        await access_to("93.184.1.1", address).remotes(spec_of(url))


async def test_an_entry_of_the_allow_list_opens_one_host_and_port() -> None:
    access = access_to("10.0.0.1", allow=("git.corp.example:443",))
    (remote,) = await access.remotes(spec_of(HTTPS))
    assert remote.pinned == ("10.0.0.1",)
    with pytest.raises(AddressDeniedError):
        await access.remotes(spec_of("https://git.corp.example:8443/r.git"))


async def test_plain_http_is_for_hosts_of_the_allow_list() -> None:
    with pytest.raises(AddressDeniedError, match="plain http"):
        await access_to("93.184.1.1").remotes(spec_of("http://git.corp.example/r.git"))
    opened = access_to("93.184.1.1", allow=("git.corp.example:80",))
    assert await opened.remotes(spec_of("http://git.corp.example/r.git"))


@pytest.mark.requirement("OPS-07")
async def test_a_secret_goes_only_to_the_hosts_of_its_owner() -> None:
    secret = SecretData({"token": b"t"}, allowed_hosts=("*.other.example",))
    with pytest.raises(ThvError) as caught:
        await access_to("93.184.1.1", secret=secret).remotes(spec_of(HTTPS, auth_secret=AUTH))
    assert caught.value.code is Code.HOST_NOT_ALLOWED


async def test_trust_roots_come_from_the_configmap() -> None:
    access = access_to("93.184.1.1")
    here = ConfigMapKey(name="corp-ca", key="ca.crt")
    (remote,) = await access.remotes(spec_of(HTTPS, ca_config_map=here))
    assert remote.extra_roots == b"PEM"
    with pytest.raises(ThvError, match='"corp-ca" has no key "nope"'):
        await access.remotes(spec_of(HTTPS, ca_config_map=ConfigMapKey(name="corp-ca", key="nope")))


ERRORS: tuple[tuple[errors.GitError | HttpError, Code, Next], ...] = (
    (errors.GitMissingError("x"), Code.TOOL_MISSING, Next.NEVER),
    (errors.AddressInvalidError("x"), Code.INVALID, Next.NEVER),
    (errors.AuthenticationFailedError("x"), Code.AUTHENTICATION_FAILED, Next.NEVER),
    (errors.RepositoryNotFoundError("x"), Code.SOURCE_NOT_FOUND, Next.NEVER),
    (errors.RedirectRefusedError("x"), Code.SOURCE_NOT_FOUND, Next.NEVER),
    (errors.RefNotFoundError("x"), Code.SOURCE_NOT_FOUND, Next.NEVER),
    (errors.PathNotFoundError("x"), Code.PATH_NOT_FOUND, Next.NEVER),
    (errors.RateLimitedError("x"), Code.RATE_LIMITED, Next.BACKOFF),
    (errors.TlsFailedError("x"), Code.TLS_VERIFICATION_FAILED, Next.NEVER),
    (errors.HostKeyUnknownError("x"), Code.TLS_VERIFICATION_FAILED, Next.NEVER),
    (errors.HostKeyChangedError("x"), Code.TLS_VERIFICATION_FAILED, Next.NEVER),
    (errors.TooLargeError("x"), Code.SIZE_LIMIT_EXCEEDED, Next.NEVER),
    (errors.DamagedError("x"), Code.FORMAT_INVALID, Next.NEVER),
    (errors.TimedOutError("x"), Code.SOURCE_TIMEOUT, Next.BACKOFF),
    (errors.ProxyFailedError("x"), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
    (errors.HostUnreachableError("x"), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
    (errors.CapabilityMissingError("x"), Code.FORMAT_UNSUPPORTED, Next.NEVER),
    (errors.GitError("x"), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
    (HttpError("x"), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
)


@pytest.mark.parametrize(("error", "code", "next_"), ERRORS)
def test_every_error_of_the_clients_has_a_word_of_ours(
    error: errors.GitError | HttpError, code: Code, next_: Next
) -> None:
    found = translated(error)
    assert (found.code, found.next, found.message) == (code, next_, "x")


def test_the_table_of_errors_is_complete() -> None:
    assert {type(error) for error, _, _ in ERRORS} >= set(errors.GitError.__subclasses__())


@pytest.mark.parametrize(("openable", "hint"), [(True, "use --allow"), (False, "no setting opens")])
def test_a_denied_address_says_how_it_is_opened(openable: bool, hint: str) -> None:
    denied = AddressDeniedError("x", host="h", port=1, openable=openable)
    found = translated(denied, denied_hint="use --allow")
    assert found.code is Code.ADDRESS_DENIED
    assert found.hint.startswith(hint)
