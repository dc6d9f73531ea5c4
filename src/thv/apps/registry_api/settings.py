"""Settings of the registry API: the only reader of its part of the environment.

In the flow: read once when the process starts; flags of the command line replace single fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import msgspec

from thv.apps.kit import variables
from thv.apps.kit.http.clients import ClientSettings, read_client_settings
from thv.apps.registry_api.aggregate import Scope
from thv.domain.errors import Code, ThvError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the API may need to know."""

    host: str = "127.0.0.1"
    """Address to listen on. THV_HOST, --host."""
    port: int = 8080
    """Port to listen on, 0 for any free one. THV_PORT, --port."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names that are answered for besides localhost. THV_ALLOWED_HOSTS, --allowed-host."""
    any_host: bool = False
    """Answer for every Host header, as behind a Service. Not from the environment."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may read /api/v1; the official API is open to all. THV_CORS_ORIGINS."""
    official_scope: Scope = "all"
    """Which registries the official API at the root shows: all, trusted or off. THV_OFFICIAL_SCOPE."""
    registry_order: tuple[str, ...] = ()
    """Registries as namespace/name, the best first, where several hold a server. THV_REGISTRY_ORDER."""
    clients: ClientSettings = ClientSettings()  # each of them says what it means
    access_log: bool = True
    """Log every request. THV_ACCESS_LOG=false, --no-access-log."""

    @property
    def hosts(self) -> frozenset[str] | None:
        """The Host headers that are answered, None for all."""
        if self.any_host:
            return None
        named = {name.lower() for name in self.allowed_hosts}
        return LOOPBACK_NAMES | named


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings of an environment; raises INVALID for a value that none may have."""
    return Settings(
        host=environ.get("THV_HOST") or "127.0.0.1",
        port=_port(environ.get("THV_PORT") or "8080"),
        allowed_hosts=_words(environ, "THV_ALLOWED_HOSTS"),
        cors_origins=_words(environ, "THV_CORS_ORIGINS"),
        official_scope=_scope(environ.get("THV_OFFICIAL_SCOPE") or "all"),
        registry_order=_words(environ, "THV_REGISTRY_ORDER"),
        clients=read_client_settings(environ),
        access_log=variables.flag(environ, "THV_ACCESS_LOG", default=True),
    )


def _words(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in environ.get(name, "").split(",") if word.strip())


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise ThvError(
            Code.INVALID, f'THV_PORT is "{text}"', hint="It can be a number from 0 to 65535."
        )
    return int(text)


def _scope(text: str) -> Scope:
    for scope in get_args(Scope):
        if text == scope:
            return text  # type: ignore[return-value] # it is one of them
    raise ThvError(
        Code.INVALID, f'THV_OFFICIAL_SCOPE is "{text}"', hint="It can be all, trusted or off."
    )
