"""Secrets of a source as headers, and the hosts that may get them.

In the flow: before the first request of a fetch. Pure; no message here ever holds a value of a Secret.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from thv.clients.http.errors import HttpError
from thv.clients.http.guard import Credential, matches_host, require_header
from thv.domain.errors import Code, ThvError
from thv.domain.registry import AuthSecret
from thv.sources.base import SecretData

_MOST_HOSTS = 20


def parse_allowed_hosts(annotation: str) -> tuple[str, ...]:
    """The hosts that the annotation `allowed-hosts` of a Secret lists: names and `*.example.com`, at most 20."""
    hosts = (host.strip().lower().removesuffix(".") for host in annotation.split(","))
    return tuple(host for host in hosts if host)[:_MOST_HOSTS]


def require_host(name: str, secret: SecretData, host: str) -> None:
    """A Secret whose owner named hosts is for those alone."""
    if secret.allowed_hosts and not matches_host(host, secret.allowed_hosts):
        raise ThvError(
            Code.HOST_NOT_ALLOWED,
            f'the Secret "{name}" may not be sent to {host}',
            hint=f'add {host} to the annotation toolhive.stacklok.io/allowed-hosts of the Secret "{name}"',
            details={"secret": name, "host": host},
        )


def plain_credential(headers: Mapping[str, str]) -> Credential:
    """Headers of the spec: no secret, but for the origin of the source alone."""
    return _checked("spec.source", Credential(tuple(headers.items()), secret=False))


def header_credential(name: str, secret: SecretData) -> Credential:
    """Each key of the Secret as a header."""
    pairs = tuple((key, _text(name, key, value)) for key, value in sorted(secret.values.items()))
    return _checked(f'Secret "{name}"', Credential(pairs, secret.allowed_hosts))


def auth_credential(auth: AuthSecret, secret: SecretData) -> Credential:
    """A token as Bearer, else user name and password as Basic."""
    value = _bearer(auth, secret) or _basic(auth, secret)
    if not value:
        raise ThvError(
            Code.SECRET_NOT_FOUND,
            f'the Secret "{auth.name}" has neither the key "{auth.token_key}" '
            f'nor the keys "{auth.username_key}" and "{auth.password_key}"',
            hint="set tokenKey, or usernameKey and passwordKey, of authSecret to keys of the Secret",
        )
    found = Credential((("Authorization", value),), secret.allowed_hosts)
    return _checked(f'Secret "{auth.name}"', found)


def _bearer(auth: AuthSecret, secret: SecretData) -> str:
    token = secret.values.get(auth.token_key)
    return f"Bearer {_text(auth.name, auth.token_key, token)}" if token else ""


def _basic(auth: AuthSecret, secret: SecretData) -> str:
    username = secret.values.get(auth.username_key)
    password = secret.values.get(auth.password_key)
    if username is None or password is None:
        return ""
    pair = username.rstrip(b"\r\n") + b":" + password.rstrip(b"\r\n")
    return "Basic " + base64.b64encode(pair).decode()


def _text(name: str, key: str, value: bytes) -> str:
    # A line end at the end is what `echo` and editors leave behind.
    try:
        return value.rstrip(b"\r\n").decode("ascii")
    except UnicodeDecodeError:
        raise ThvError(
            Code.INVALID,
            f'the key "{key}" of the Secret "{name}" has characters that no header may have',
        ) from None


def _checked(subject: str, credential: Credential) -> Credential:
    for header, value in credential.headers:
        try:
            require_header(header, value)
        except HttpError as e:
            raise ThvError(Code.INVALID, f"{subject}: {e.message}") from None
    return credential


def joined(*roots: bytes) -> bytes:
    """Certificates of several files as one, each of which may lack its last line end."""
    return b"\n".join(each for each in roots if each)
