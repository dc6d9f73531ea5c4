"""Settings of the one process: what it serves, where, and how it reaches sources.

In the flow: made once from flags and environment when `thv serve` or `thv dev` starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from thv.apps.catalog_api.settings import Settings as CatalogSettings
from thv.apps.catalog_api.settings import read_settings as read_catalog_settings
from thv.apps.cli.engine import EngineSettings, engine_settings
from thv.apps.cli.session import Session
from thv.apps.kit.addresses import is_loopback, listen_address
from thv.apps.kit.sign_in import SignIn, read_sign_in
from thv.apps.kit.tls import KeyPair, key_pair, read_key_pair
from thv.apps.registry_api.follow import Key
from thv.apps.registry_api.settings import Settings as ApiSettings
from thv.apps.registry_api.settings import read_settings as read_api_settings
from thv.domain.durations import parse_duration
from thv.domain.errors import Code, ThvError


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the process may need to know."""

    api: ApiSettings
    engine: EngineSettings
    catalog: CatalogSettings = CatalogSettings()  # each of them says what it means
    only: Key | None = None
    """The one registry that is served, at the root. --registry."""
    files: tuple[Path, ...] = ()
    """Files that are served instead of a data folder. --registry-file."""
    read_only: bool = False
    """Serve what is there, synchronize nothing. --read-only."""
    anonymous_read: bool = False
    """Whoever reaches the port reads every registry, not only those that say so. --anonymous-read."""

    access_file: Path | None = None
    """Access file: whose tokens are good, and for what. THV_ACCESS_FILE, --token-file; tokens.yaml of the data folder."""
    sign_in: SignIn | None = None  # each of them says what it means
    tls: KeyPair | None = None
    """Certificate and key with which it answers over HTTPS. THV_TLS_CERT, THV_TLS_KEY, --tls-cert, --tls-key."""
    operations: tuple[str, int] | None = None
    """Host and port of health and metrics, None for none. THV_LISTEN_OPERATIONS, --listen-operations."""

    @property
    def is_guarded(self) -> bool:
        """Whether strangers may reach the port, who must not read everything."""
        return not (is_loopback(self.api.host) or self.anonymous_read)

    @property
    def has_owner(self) -> bool:
        """Whether everybody may read, and whoever started the process may do more by a link of one use."""
        return not (self.access_file or self.is_guarded or self.read_only)

    @property
    def base_url(self) -> str:
        """Where the process answers, seen from this machine."""
        host = self.api.host if is_loopback(self.api.host) else "127.0.0.1"
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.api.port}"

    def url_of(self, namespace: str, name: str) -> str:
        """The base of a registry's API."""
        is_root = self.only == (namespace, name)
        return self.base_url if is_root else f"{self.base_url}/r/{namespace}/{name}"


def settings_of(
    session: Session,
    *,
    registry: str = "",
    files: tuple[str, ...] = (),
    read_only: bool = False,
    anonymous_read: bool = False,
    access_file: str = "",
    allow: tuple[str, ...] = (),
    fetch_backoff: str = "",
    listen_operations: str = "",
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    oidc_issuer: str = "",
    oidc_client_id: str = "",
    oidc_client_secret_file: str = "",
    public_url: str = "",
    **flags: Any,
) -> Settings:
    """Flags over the environment over defaults; raises INVALID for what none may have."""
    if registry and files:
        raise ThvError(
            Code.INVALID,
            "--registry and --registry-file exclude each other",
            hint="Name one of them.",
        )
    environ = session.common.around.environ
    named = access_file or environ.get("THV_ACCESS_FILE", "")
    if anonymous_read and named:
        raise ThvError(
            Code.INVALID,
            "--anonymous-read and an access file exclude each other",
            hint="Leave out one of --anonymous-read, --token-file and THV_ACCESS_FILE.",
        )
    engine = engine_settings(session.settings, environ)
    if fetch_backoff:
        engine = msgspec.structs.replace(engine, fetch_backoff=parse_duration(fetch_backoff))
    engine = msgspec.structs.replace(engine, allowed_hosts=(*engine.allowed_hosts, *allow))
    operations = listen_operations or environ.get("THV_LISTEN_OPERATIONS", "")
    sign_in = read_sign_in(
        environ,
        issuer=oidc_issuer,
        client_id=oidc_client_id,
        client_secret=oidc_client_secret_file,
        public_url=public_url,
    )
    return Settings(
        api=_found_by(_api(read_api_settings(environ), **flags), sign_in),
        engine=engine,
        catalog=msgspec.structs.replace(
            read_catalog_settings(environ, anonymous_read=True), read_only=read_only
        ),
        only=(session.namespace, registry) if registry else None,
        files=tuple(Path(file) for file in files),
        read_only=read_only,
        anonymous_read=anonymous_read,
        access_file=_access_file(session, named, anonymous_read=anonymous_read or bool(files)),
        tls=key_pair(tls_cert, tls_key, "--tls-cert", "--tls-key") or read_key_pair(environ),
        operations=listen_address(operations) if operations else None,
        sign_in=sign_in,
    )


def _found_by(api: ApiSettings, sign_in: SignIn | None) -> ApiSettings:
    """The API also answers for the name by which browsers find the dashboard."""
    name = urlsplit(sign_in.public_url).hostname if sign_in else None
    if not name or api.any_host:
        return api
    return msgspec.structs.replace(api, allowed_hosts=(*api.allowed_hosts, name))


def _access_file(session: Session, named: str, *, anonymous_read: bool) -> Path | None:
    """The one that is named, else that of the data folder, if there is one and it is wanted."""
    if named:
        return Path(named).expanduser()
    own = session.local.home.tokens
    return own if own.exists() and not anonymous_read else None


def _api(
    api: ApiSettings,
    *,
    listen: str = "",
    port: int | None = None,
    official_scope: str | None = None,
    hosts: Iterable[str] = (),
    access_log: bool | None = None,
) -> ApiSettings:
    """The settings of the API with what flags say."""
    changes: dict[str, Any] = {"allowed_hosts": (*api.allowed_hosts, *hosts)}
    if listen:
        changes["host"], changes["port"] = listen_address(listen)
    if port is not None:
        changes["port"] = port
    if official_scope:
        changes["official_scope"] = official_scope
    if access_log is not None:
        changes["access_log"] = access_log
    made = msgspec.structs.replace(api, **changes)
    # Whoever listens to the network is called by names and addresses that nobody can list.
    return msgspec.structs.replace(
        made, any_host=not (is_loopback(made.host) or made.allowed_hosts)
    )
