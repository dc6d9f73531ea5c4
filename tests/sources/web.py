"""What tests of sources over HTTP share: a clock that stands still, Secrets as values, a `Web` around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from thv.clients.http.client import HttpClient
from thv.clients.http.guard import AllowList
from thv.domain.errors import Code, ThvError
from thv.sources.base import SecretData
from thv.sources.paging import CrawlSettings
from thv.sources.web import Web


class Clock:
    """A moment that only the test moves."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, **duration: float) -> None:
        self.moment += timedelta(**duration)


class Naps:
    """Instead of sleeping: how long would have been slept."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def settings(self, **changes: object) -> CrawlSettings:
        usual: dict[str, object] = {"tries": 4, "sleep": self, "chance": lambda: 0.5}
        return CrawlSettings(**{**usual, **changes})  # type: ignore[arg-type]


def web(
    client: HttpClient,
    allow: Iterable[str] = (),
    *,
    secrets: Mapping[str, SecretData] | None = None,
    config_maps: Mapping[str, dict[str, bytes]] | None = None,
    now: Clock | None = None,
    denied_hint: str = "use --allow-private-ip --allow-http",
) -> Web:
    async def read_secret(name: str) -> SecretData:
        try:
            return (secrets or {})[name]
        except KeyError:
            raise ThvError(Code.SECRET_NOT_FOUND, f'there is no Secret "{name}"') from None

    async def read_config_map(name: str) -> dict[str, bytes]:
        try:
            return (config_maps or {})[name]
        except KeyError:
            raise ThvError(Code.SOURCE_NOT_FOUND, f'there is no ConfigMap "{name}"') from None

    return Web(
        client=client,
        read_secret=read_secret,
        read_config_map=read_config_map,
        now=now or Clock(),
        allow=AllowList.parse(allow),
        denied_hint=denied_hint,
    )
