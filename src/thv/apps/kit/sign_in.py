"""At which OpenID issuer people sign in to the dashboard, if at any.

In the flow: part of the settings of a process with pages; read once when it starts. What talks to the issuer is loaded
where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from thv.apps.kit import variables
from thv.apps.kit.addresses import is_loopback
from thv.apps.kit.outbound import read_proxy
from thv.clients.http.proxy import Proxy
from thv.domain.errors import Code, ThvError

Sent = Literal["id_token", "access_token"]
_SECRET_LIMIT = 4096
_VARIABLES = "THV_OIDC_"


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """How people sign in at an issuer."""

    issuer: str
    """OpenID issuer at which people sign in to the dashboard, exactly as its tokens name it. THV_OIDC_ISSUER, --oidc-issuer."""
    client_id: str
    """Who the dashboard is to the issuer. THV_OIDC_CLIENT_ID, --oidc-client-id."""
    client_secret: Path | None = None
    """File with the secret of that client, if it has one; it may be replaced. THV_OIDC_CLIENT_SECRET_FILE, --oidc-client-secret-file."""
    scopes: str = "openid email profile"
    """What the issuer is asked to tell, with blanks or commas between. THV_OIDC_SCOPES."""
    sent: Sent = "id_token"
    """Which of its tokens the API is shown: id_token or access_token. THV_OIDC_TOKEN."""
    label: str = ""
    """What the issuer is called on the button; its host where nothing is said. THV_OIDC_NAME."""
    public_url: str = ""
    """Where browsers find the dashboard, without a path; the issuer sends them back there. THV_PUBLIC_URL, --public-url."""
    trust: Path | None = None
    """File of certificates that the issuer is trusted by beside those of the system. THV_TRUST."""
    proxy: Proxy | None = None
    """By which the issuer is reached, and by which not. THV_PROXY, THV_NO_PROXY, THV_PROXY_USERNAME, THV_PROXY_PASSWORD."""

    @property
    def name(self) -> str:
        """What people call the issuer."""
        return self.label or (urlsplit(self.issuer).hostname or self.issuer)


def read_sign_in(environ: Mapping[str, str], **flags: str) -> SignIn | None:
    """What an environment says, and flags over it; None where no issuer is named.

    Raises INVALID for a value that none may have.
    """
    given = {name: value for name, value in flags.items() if value}
    issuer = given.get("issuer") or environ.get("THV_OIDC_ISSUER", "")
    client_id = given.get("client_id") or environ.get("THV_OIDC_CLIENT_ID", "")
    secret = given.get("client_secret") or environ.get("THV_OIDC_CLIENT_SECRET_FILE", "")
    if bool(issuer) != bool(client_id) or (secret and not issuer):
        missing = "ISSUER" if not issuer else "CLIENT_ID"
        raise ThvError(
            Code.INVALID,
            f"{_VARIABLES}{missing} is not set, and other settings of the sign-in are",
            hint="An issuer and a client go together: THV_OIDC_ISSUER or --oidc-issuer, THV_OIDC_CLIENT_ID or --oidc-client-id.",
        )
    if not issuer:
        return None
    public = given.get("public_url") or environ.get("THV_PUBLIC_URL", "")
    return SignIn(
        issuer=_issuer(issuer),
        client_id=client_id,
        client_secret=_secret_file(secret),
        scopes=_scopes(environ),
        sent=variables.one_of(Sent, environ, "THV_OIDC_TOKEN", "id_token"),
        label=environ.get("THV_OIDC_NAME", ""),
        public_url=_public(public) if public else "",
        trust=variables.file(environ, "THV_TRUST"),
        proxy=read_proxy(environ),
    )


def secret_in(path: Path | None) -> str:
    """The secret as it is in the file now, `""` for no file; raises INVALID where it cannot be read."""
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            secret = file.read(_SECRET_LIMIT).decode().strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise _unusable(path, str(why)) from error
    if not secret:
        raise _unusable(path, "it is empty")
    return secret


def _unusable(path: Path, why: str) -> ThvError:
    return ThvError(
        Code.INVALID,
        f"the client secret in {path} cannot be read: {why}",
        hint="Name a file with the secret and nothing else in THV_OIDC_CLIENT_SECRET_FILE, or none for a public client.",
    )


def _secret_file(text: str) -> Path | None:
    path = Path(text).expanduser() if text else None
    secret_in(path)
    return path


def _scopes(environ: Mapping[str, str]) -> str:
    text = environ.get("THV_OIDC_SCOPES") or "openid email profile"
    scopes = text.replace(",", " ").split()
    if "openid" not in scopes or not text.isascii() or not text.isprintable():
        allowed = "words such as openid,email,groups; openid is needed"
        raise variables.wrong("THV_OIDC_SCOPES", text, allowed)
    return " ".join(scopes)


def _issuer(text: str) -> str:
    if not _is_safe(text) or "?" in text or "#" in text:
        raise variables.wrong(
            "THV_OIDC_ISSUER",
            text,
            "a URL such as https://login.example.com/realms/people, without a query",
        )
    return text


def _public(text: str) -> str:
    url = text.rstrip("/")
    if not _is_safe(url) or urlsplit(url).path or "?" in text or "#" in text:
        raise variables.wrong(
            "THV_PUBLIC_URL", text, "a URL such as https://catalog.example.com, without a path"
        )
    return url


def _is_safe(url: str) -> bool:
    """Whether it is a URL that nobody reads along: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    is_private = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    return bool(host) and is_plain and is_private and "@" not in parts.netloc
