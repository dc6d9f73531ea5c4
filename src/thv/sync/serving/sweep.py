"""Removes what registries left behind that went, or came to be served otherwise, while no process looked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry
from thv.domain.resources import MCP_REGISTRY, SERVICE_ACCOUNT
from thv.stores.resources.base import ResourceStore
from thv.sync.serving.access import AccessList, Account
from thv.sync.serving.names import SHARED, api_name, mode_of
from thv.sync.serving.settings import ApiSettings
from thv.sync.serving.shared import SharedPods, is_shared_registry

_SUFFIX = api_name("")


class Sweeper:
    """Looks at everything once; what a new registry needs after all is found out before it goes."""

    def __init__(
        self, store: ResourceStore, settings: ApiSettings, shared: SharedPods, access: AccessList
    ) -> None:
        self._store = store
        self._settings = settings
        self._shared = shared
        self._access = access

    async def sweep(self, registries: Iterable[Registry], namespaces: Sequence[str | None]) -> None:
        """`registries` are all that there are in `namespaces`; None stands for every namespace."""
        needed = accounts_for(registries, self._settings)
        for namespace in namespaces:
            for place in sorted(await self._shared.namespaces(namespace)):
                if Account(place, SHARED) not in needed:
                    await self._shared.remove_unused(place)
        try:
            await self._sweep_accounts(needed)
        except ThvError as error:
            if error.code is not Code.NOT_FOUND:  # the status of each registry says so
                raise

    async def _sweep_accounts(self, needed: set[Account]) -> None:
        bound = await self._access.accounts()
        spare = [each for each in sorted(bound - needed) if await self._is_spare(each)]
        if spare:
            await self._access.revoke(spare)
        taken = (self._access.granted() & needed) - bound
        if taken:
            await self._access.grant(*taken)

    async def _is_spare(self, account: Account) -> bool:
        """Whether nothing is served by the account; one with a name unlike ours is none of our business."""
        try:
            if account.name == SHARED:
                await self._store.get(SERVICE_ACCOUNT, account.namespace, account.name)
                return False
            if not account.name.endswith(_SUFFIX):
                return False
            return await self._is_left(account.namespace, account.name.removesuffix(_SUFFIX))
        except ThvError as error:
            if error.code in (Code.NOT_FOUND, Code.FORBIDDEN):
                return error.code is Code.NOT_FOUND
            raise

    async def _is_left(self, namespace: str, name: str) -> bool:
        """Whether a registry is not served by pods of its own."""
        obj = await self._store.get(MCP_REGISTRY, namespace, name)
        api = (obj.get("spec") or {}).get("api") or {}
        return not api.get("enabled", True) or is_shared_registry(obj, self._settings.mode)


def accounts_for(registries: Iterable[Registry], settings: ApiSettings) -> set[Account]:
    """Who is to serve these registries."""
    needed: set[Account] = set()
    for registry in registries:
        if registry.spec.api.enabled:
            is_shared = mode_of(registry, settings) == "shared"
            name = SHARED if is_shared else api_name(registry.name)
            needed.add(Account(registry.namespace, name))
    return needed
