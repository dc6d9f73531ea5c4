"""Stores in which callers write with their own rights.

In the flow: asked by the handlers of generation; the catalog itself has no right to write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from thv.apps.kit.authorization import Authorization, Known
from thv.apps.kit.home import is_import
from thv.apps.kit.http.bearer import bearer_token
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.problems import ProblemError, Word
from thv.domain.access import Caller
from thv.domain.canonical import JsonObject
from thv.domain.lenient import as_object, as_text
from thv.domain.permissions import READ
from thv.stores.resources.base import ResourceStore
from thv.stores.resources.permitted import PermittedStore


class Writers(Protocol):
    """Gives the store of a caller."""

    def store(self, call: Call, caller: Known, /) -> AbstractAsyncContextManager[ResourceStore]:
        """Where the caller writes, with what that one may do and no more."""
        ...

    def check_source(self, manifest: JsonObject, namespace: str, /) -> None:
        """Raises FORBIDDEN for a source that only this process may read, and not the caller."""
        ...


class Acting(Protocol):
    """A store that judges writes by who writes."""

    def acting_as(self, caller: Caller, /) -> ResourceStore: ...


class OfMachine:
    """The store of one machine, within the roles of its access file."""

    def __init__(self, store: Acting, *, by_owner: bool = False) -> None:
        """`by_owner`: whoever is let in here owns the process, and so the files that it may read."""
        self._store = store
        self._by_owner = by_owner

    @asynccontextmanager
    async def store(self, _call: Call, caller: Known) -> AsyncIterator[ResourceStore]:
        """The one store, for this caller."""
        who = caller.identity
        acting = Caller(name=who.user, groups=who.groups, grants=who.grants)
        yield PermittedStore(self._store.acting_as(acting), acting)

    def check_source(self, manifest: JsonObject, namespace: str) -> None:
        """A file is read with the rights of the process: a role in a namespace is none over its machine."""
        source = as_object(as_object(manifest.get("spec")).get("source"))
        if self._by_owner:
            return
        if source.get("type") == "file" or source.get("file"):
            _require_own(source.get("file"), namespace)


class OfCluster:
    """The API server of a cluster, which is sent the caller's own token."""

    def __init__(self, connect: Callable[[str], ResourceStore]) -> None:
        """`connect` gives a store that shows this token and no other credential."""
        self._connect = connect

    @asynccontextmanager
    async def store(self, call: Call, _caller: Known) -> AsyncIterator[ResourceStore]:
        """A store of this request alone."""
        store = self._connect(bearer_token(call.request) or "")
        try:
            yield store
        finally:
            await store.close()

    def check_source(self, manifest: JsonObject, namespace: str) -> None:
        """Nothing: no source of a cluster is a file, which its admission says."""


def _require_own(file: Any, namespace: str) -> None:
    """Raises FORBIDDEN for anything but an import of the namespace."""
    if is_import(as_text(as_object(file).get("path")), namespace):
        return
    raise ProblemError(
        Word.FORBIDDEN,
        "Files of this machine are for whoever runs the service there: a role in a namespace is none over its files.",
        field="spec.source.file.path",
        hint="On that machine: thv registry add NAME --file FILE; or use a source of another type.",
    )


def require_known(authorization: Authorization | None) -> Authorization:
    """Raises FORBIDDEN where nobody is asked who they are, so that nobody has a right to write."""
    if authorization is not None:
        return authorization
    raise ProblemError(
        Word.FORBIDDEN,
        "This server does not ask who anybody is, so nobody may write: it renders manifests alone.",
        hint="Start it with --token-file, or apply what .../render answers.",
    )


async def require_reader(
    authorization: Authorization | None, call: Call, *, refusal: str, command: str
) -> None:
    """Raises for whoever may not read the registry of the path, and where nobody is asked who they are.

    `refusal` is what this server shows nobody then, `command` shows it on its machine.
    """
    if authorization is None:
        raise ProblemError(
            Word.FORBIDDEN,
            f"This server does not ask who anybody is, so it {refusal}.",
            hint=f"On its machine: {command}",
        )
    caller = await authorization.caller(call.request, access_of(call))
    where = READ.on(call.names["namespace"], call.names["registry"])
    await authorization.require(caller, where)


def require_writable(*, read_only: bool) -> None:
    """Raises READ_ONLY where the process writes nothing."""
    if read_only:
        raise ProblemError(
            Word.READ_ONLY,
            "This server was started with --read-only.",
            hint="Send it to the one that synchronizes.",
        )


def access_of(call: Call) -> Access:
    """What the dispatcher has asked, to learn once more who it was."""
    names, endpoint = call.names, call.endpoint
    return Access(
        names["namespace"], names.get("registry", ""), endpoint.needs, forwards=endpoint.forwards
    )
