"""Who may ask the API server about tokens and permissions: the subjects of one binding of the whole cluster.

In the flow: the chart installs the binding, each account of API pods is added when its registry is deployed, a sweep
removes those whose registries are gone. The operator may get and patch this one binding; every write names the
version that it was made from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import CLUSTER_ROLE_BINDING, resource_version_of
from thv.domain.roles import API_AUTH as BINDING
from thv.stores.resources.base import ResourceStore
from thv.sync.serving.names import MANAGER

_ATTEMPTS = 8
_FRESH = 60.0
"""Seconds for which the binding is taken to be as it was read or written."""

_ABSENT = {
    Code.NOT_FOUND: f'clusterrolebinding "{BINDING}" is missing: the API cannot check tokens',
    Code.FORBIDDEN: f'the operator may not read clusterrolebinding "{BINDING}", so the API cannot check tokens;'
    " an administrator has to run what `helm get notes` shows",
}


class Account(msgspec.Struct, frozen=True, order=True):
    """A service account."""

    namespace: str
    name: str


class AccessList:
    """The subjects of the binding as this process knows them; writes of many registries become one."""

    def __init__(self, store: ResourceStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._turn = asyncio.Lock()
        self._known: frozenset[Account] = frozenset()
        self._read_at: float | None = None
        self._granted: set[Account] = set()
        self._wanted: set[Account] = set()
        self._unwanted: set[Account] = set()

    async def grant(self, *accounts: Account) -> None:
        """Adds the accounts; raises NOT_FOUND when the binding is not installed."""
        if self._known.issuperset(accounts) and self._is_fresh():
            return
        self._wanted.update(accounts)
        self._unwanted.difference_update(accounts)
        async with self._turn:
            if self._wanted.intersection(accounts):
                await self._write()
        self._granted.update(accounts)

    def forget(self) -> None:
        """The binding is read again."""
        self._known, self._read_at = frozenset(), None
        self._granted.clear()
        self._wanted.clear()
        self._unwanted.clear()

    def granted(self) -> frozenset[Account]:
        """Whom this process has added."""
        return frozenset(self._granted)

    async def revoke(self, accounts: Collection[Account]) -> None:
        """Removes the accounts, if the binding is installed; they count as added until that is done."""
        self._unwanted.update(accounts)
        self._wanted.difference_update(accounts)
        async with self._turn:
            try:
                if self._unwanted:
                    await self._write()
            except ThvError as error:
                if error.code is not Code.NOT_FOUND:
                    raise
        self._granted.difference_update(set(accounts) - self._wanted - self._known)

    async def accounts(self) -> frozenset[Account]:
        """Who is bound now; raises NOT_FOUND when the binding is not installed."""
        self._known, self._read_at = accounts_of(await self._read()), self._clock()
        return self._known

    def _is_fresh(self) -> bool:
        return self._read_at is not None and self._clock() - self._read_at < _FRESH

    async def _write(self) -> None:
        """Brings what is wanted and unwanted by now into the binding."""
        wanted, unwanted = frozenset(self._wanted), frozenset(self._unwanted)
        for attempt in range(_ATTEMPTS):
            binding = await self._read()
            subjects = changed_subjects(binding, wanted, unwanted)
            try:
                if subjects != (binding.get("subjects") or []):
                    binding = await self._patch(binding, subjects)
            except ThvError as error:
                if error.code is not Code.CONFLICT or attempt == _ATTEMPTS - 1:
                    raise
            else:
                break
        self._known, self._read_at = accounts_of(binding), self._clock()
        self._wanted -= wanted
        self._unwanted -= unwanted

    async def _patch(self, binding: JsonObject, subjects: list[JsonObject]) -> JsonObject:
        patch = {
            "metadata": {"resourceVersion": resource_version_of(binding)},
            "subjects": subjects,
        }
        return await self._store.merge(CLUSTER_ROLE_BINDING, "", BINDING, patch, manager=MANAGER)

    async def _read(self) -> JsonObject:
        """The binding; where it may not be read, it is as good as missing."""
        try:
            return await self._store.get(CLUSTER_ROLE_BINDING, "", BINDING)
        except ThvError as error:
            message = _ABSENT.get(error.code)
            if message is None:
                raise
            raise ThvError(
                Code.NOT_FOUND, message, hint="Install the chart again; it brings the binding."
            ) from error


def accounts_of(binding: JsonObject) -> frozenset[Account]:
    """The service accounts that are bound."""
    subjects = binding.get("subjects") or []
    return frozenset(
        Account(str(each.get("namespace")), str(each.get("name")))
        for each in subjects
        if each.get("kind") == "ServiceAccount"
    )


def changed_subjects(
    binding: JsonObject, wanted: Collection[Account], unwanted: Collection[Account]
) -> list[JsonObject]:
    """The subjects with and without these accounts; all others stay as they are."""
    subjects: list[JsonObject] = binding.get("subjects") or []
    dropped = set(unwanted) - set(wanted)
    kept = [each for each in subjects if not (accounts_of({"subjects": [each]}) & dropped)]
    missing = sorted(set(wanted) - accounts_of(binding))
    return kept + [
        {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}
        for account in missing
    ]
