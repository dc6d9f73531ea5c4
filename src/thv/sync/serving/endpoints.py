"""Where the API server is, for the rules that let pods out to it and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

from thv.domain.errors import Code, ThvError
from thv.domain.resources import ENDPOINTS
from thv.stores.resources.base import ResourceStore
from thv.sync.serving.network import Address, addresses_of, is_address
from thv.sync.serving.settings import ApiSettings

_FRESH = 60.0
"""Seconds for which the addresses are taken to be as they were read."""


class ApiServer:
    """The addresses of the API server; those that were known stay while it does not tell."""

    def __init__(
        self, store: ResourceStore, settings: ApiSettings, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._clock = clock
        self._fixed = tuple(each for each in settings.api_server if is_address(each[0]))
        self._told: tuple[Address, ...] = ()
        self._read_at: float | None = None

    async def addresses(self) -> tuple[Address, ...]:
        """Those of the settings and those of its endpoints."""
        if self._read_at is None or self._clock() - self._read_at >= _FRESH:
            self._told = await self._read() or self._told
            self._read_at = self._clock()
        return tuple(sorted({*self._fixed, *self._told}))

    async def _read(self) -> tuple[Address, ...]:
        try:
            return addresses_of(await self._store.get(ENDPOINTS, "default", "kubernetes"))
        except ThvError as error:
            if error.code not in (Code.NOT_FOUND, Code.FORBIDDEN):
                raise
            return ()
