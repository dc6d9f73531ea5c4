"""Whether we may go to a Git host, and who we are there.

In the flow: before each look at a repository: the address is parsed, its host resolved and judged like that of any
URL, the Secret read and held to that host. Behind the look, what went wrong is said in our words.
"""

from __future__ import annotations

import msgspec

from thv.clients.git.address import Address, parse_address
from thv.clients.git.client import Git, Remote
from thv.clients.git.credentials import Basic, Bearer, Credentials, SshKey
from thv.clients.git.environment import Via
from thv.clients.git.errors import (
    AddressInvalidError,
    AuthenticationFailedError,
    CapabilityMissingError,
    DamagedError,
    GitError,
    GitMissingError,
    HostKeyChangedError,
    HostKeyUnknownError,
    PathNotFoundError,
    ProxyFailedError,
    RateLimitedError,
    RedirectRefusedError,
    RefNotFoundError,
    RepositoryNotFoundError,
    TimedOutError,
    TlsFailedError,
    TooLargeError,
)
from thv.clients.http.errors import AddressDeniedError, HttpError
from thv.clients.http.guard import NOTHING, AllowList, require_scheme
from thv.clients.http.proxy import Proxy
from thv.clients.http.resolve import (
    Resolve,
    judge_behind_proxy,
    resolve_by_system,
    resolve_checked,
)
from thv.clients.http.url import parse_url
from thv.domain.errors import Code, ThvError
from thv.domain.fields import ConfigMapKey
from thv.domain.registry import AuthSecret
from thv.domain.registry import GitSource as Spec
from thv.sources.base import ReadConfigMap, ReadSecret, SecretData
from thv.sources.credentials import joined, require_host
from thv.sources.folder import nearest, quoted

# Hosts that take a token as a password want some user name with it, mostly any.
_USER_OF_TOKEN = "x-access-token"  # noqa: S105 - no password

_CODES: tuple[tuple[type[GitError], Code, str], ...] = (
    (GitMissingError, Code.TOOL_MISSING, "install git (Debian, Ubuntu: apt-get install git)"),
    (AddressInvalidError, Code.INVALID, "correct spec.source.git"),
    (
        AuthenticationFailedError,
        Code.AUTHENTICATION_FAILED,
        "check spec.source.git.authSecret and the rights of its user; a host may also hide a repository this way",
    ),
    (RepositoryNotFoundError, Code.SOURCE_NOT_FOUND, "check spec.source.git.repository"),
    (
        RedirectRefusedError,
        Code.SOURCE_NOT_FOUND,
        "set spec.source.git.repository to the address that the host redirects to",
    ),
    (RefNotFoundError, Code.SOURCE_NOT_FOUND, "check branch, tag or commit of spec.source.git"),
    (PathNotFoundError, Code.PATH_NOT_FOUND, "correct spec.source.git.path"),
    (RateLimitedError, Code.RATE_LIMITED, ""),
    (
        TlsFailedError,
        Code.TLS_VERIFICATION_FAILED,
        "name the certificate authority in spec.source.git.caConfigMap",
    ),
    (
        HostKeyUnknownError,
        Code.TLS_VERIFICATION_FAILED,
        "add the host's line, as ssh-keyscan prints it and its administrator confirms it, to the Secret",
    ),
    (
        HostKeyChangedError,
        Code.TLS_VERIFICATION_FAILED,
        "ask the host's administrator whether its key changed; if so, replace its line in the Secret",
    ),
    (TooLargeError, Code.SIZE_LIMIT_EXCEEDED, "keep the registry in a smaller repository"),
    (CapabilityMissingError, Code.FORMAT_UNSUPPORTED, "serve the repository by smart HTTP or ssh"),
    (DamagedError, Code.FORMAT_INVALID, "check the repository with git fsck"),
    (TimedOutError, Code.SOURCE_TIMEOUT, ""),
    (
        ProxyFailedError,
        Code.SOURCE_UNREACHABLE,
        "check the settings of the outbound proxy, and whether it lets this host through",
    ),
    (GitError, Code.SOURCE_UNREACHABLE, ""),
)


class GitAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What the wiring hands to every Git source of one namespace."""

    git: Git
    read_secret: ReadSecret
    read_config_map: ReadConfigMap
    resolve: Resolve = resolve_by_system
    allow: AllowList = NOTHING
    proxy: Proxy | None = None
    """Carries what is not ssh."""
    trust: bytes = b""
    """Trust roots of every source, PEM."""
    denied_hint: str = ""
    """How a person opens an address that is denied: a flag here, a setting of the operator there."""

    async def remotes(self, spec: Spec) -> tuple[Remote, ...]:
        """The repository with each way to prove ourselves, the likeliest first."""
        address = parse_address(spec.repository)
        via = await self._via(address)
        pinned = () if via else await self._judged(address)
        own = await self._roots(spec.ca_config_map) if spec.ca_config_map else b""
        remote = Remote(address, pinned, None, joined(self.trust, own), via)
        if spec.auth_secret is None:
            return (remote,)
        secret = await self.read_secret(spec.auth_secret.name)
        require_host(spec.auth_secret.name, secret, address.host)
        ways = ways_to_prove(spec.auth_secret, secret, address)
        return tuple(remote._replace(credentials=way) for way in ways)

    async def _judged(self, address: Address) -> tuple[str, ...]:
        opened = self._opened(address)
        return await resolve_checked(
            self.resolve, address.host, address.port, is_address=address.is_ip, opened=opened
        )

    async def _via(self, address: Address) -> Via | None:
        """The proxy, if it carries this host and nothing that can be told from here speaks against it."""
        proxy = self.proxy
        if address.scheme == "ssh" or proxy is None or not proxy.carries(address.host):
            return None
        opened, place = self._opened(address), proxy.place
        await judge_behind_proxy(
            self.resolve, address.host, address.port, is_address=address.is_ip, opened=opened
        )
        pinned = await resolve_checked(
            self.resolve, place.host, place.port, is_address=place.is_address, opened=True
        )
        return Via(proxy, pinned)

    def _opened(self, address: Address) -> bool:
        """Whether the allow-list names it; raises when it speaks plain http and is not named."""
        opened = self.allow.opens(address.host, address.port)
        if address.scheme != "ssh":
            require_scheme(parse_url(address.url), opened=opened)
        return opened

    async def _roots(self, place: ConfigMapKey) -> bytes:
        data = await self.read_config_map(place.name)
        if place.key not in data:
            raise ThvError(
                Code.PATH_NOT_FOUND, f'the ConfigMap "{place.name}" has no key "{place.key}"'
            )
        return data[place.key]


def ways_to_prove(
    auth: AuthSecret, secret: SecretData, address: Address
) -> tuple[Credentials, ...]:
    """What the Secret holds for this kind of host: of ssh a key, of others a token before a password."""
    if address.scheme == "ssh":
        return (_ssh_key(auth, secret),)
    user = _text(auth, secret, auth.username_key)
    if token := _text(auth, secret, auth.token_key):
        return Basic(user or _USER_OF_TOKEN, token), Bearer(token)
    if password := _text(auth, secret, auth.password_key):
        return (Basic(user or _USER_OF_TOKEN, password),)
    wanted = (auth.token_key, auth.password_key)
    raise _lacking(auth, f'neither the key "{wanted[0]}" nor the key "{wanted[1]}"')


def translated(error: GitError | HttpError | OSError, *, denied_hint: str = "") -> ThvError:
    """The clients' word in ours, and the machine's where it has no room for a process or a file."""
    if isinstance(error, OSError):
        reason = error.strerror or "no reason given"
        return ThvError(Code.SOURCE_UNREACHABLE, f"this machine cannot run git: {reason}")
    if isinstance(error, AddressDeniedError):
        hint = denied_hint if error.openable else "no setting opens this address"
        details = {"host": error.host, "port": error.port}
        return ThvError(Code.ADDRESS_DENIED, error.message, hint=hint, details=details)
    if isinstance(error, HttpError):
        return ThvError(Code.SOURCE_UNREACHABLE, error.message)
    code, hint = next((code, hint) for kind, code, hint in _CODES if isinstance(error, kind))
    return ThvError(code, str(error), hint=hint)


def not_there(
    error: RefNotFoundError | PathNotFoundError, asked: str, *, where: str = ""
) -> ThvError:
    """A name that the repository lacks, with the nearest ones that it has."""
    plain = translated(error)
    names = nearest(asked, error.existing)
    hint = f"{plain.hint}; the nearest names there: {quoted(names)}" if names else plain.hint
    return ThvError(
        plain.code, f"{where}{plain.message}", hint=hint, details={"existing": list(names)}
    )


def _ssh_key(auth: AuthSecret, secret: SecretData) -> SshKey:
    key = secret.values.get(auth.ssh_key_key)
    if not key:
        raise _lacking(auth, f'no key "{auth.ssh_key_key}" for ssh')
    known_hosts = secret.values.get(auth.known_hosts_key)
    if not known_hosts:
        raise _lacking(
            auth, f'no key "{auth.known_hosts_key}", without which no ssh host is trusted'
        )
    return SshKey(key, known_hosts, user=_text(auth, secret, auth.username_key))


def _text(auth: AuthSecret, secret: SecretData, key: str) -> str:
    """The value without the line end that `echo` and editors leave behind, `""` without one."""
    try:
        return secret.values.get(key, b"").decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ThvError(
            Code.INVALID, f'the key "{key}" of the Secret "{auth.name}" is no text'
        ) from None


def _lacking(auth: AuthSecret, what: str) -> ThvError:
    return ThvError(
        Code.SECRET_NOT_FOUND,
        f'the Secret "{auth.name}" has {what}',
        hint=f'add it to the Secret "{auth.name}", or name its key in spec.source.git.authSecret',
    )
