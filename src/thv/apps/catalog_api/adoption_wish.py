"""What somebody says that an installed server is, and which entry that means.

In the flow: from the body of a request to the entry, before anything is read or written of the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from thv.apps.catalog_api.catalog import Catalog
from thv.apps.catalog_api.deployments import spelled
from thv.apps.catalog_api.servers import Choice, definition
from thv.apps.kit.http.body import read_value
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.apps.registry_api.fleet import GROUPS, claim_of
from thv.apps.registry_api.served import Served
from thv.catalog.adopt import Adoption
from thv.catalog.install import Origin
from thv.catalog.installed import Installed, is_called, is_image
from thv.domain.canonical import JsonObject
from thv.domain.errors import FieldError, InvalidError
from thv.domain.facts import facts_of
from thv.domain.target import image_tag, target_of
from thv.stores.models import lookup
from thv.stores.models.query import LATEST
from thv.stores.models.view import View

_MOST_VERSIONS = 50
"""Versions whose images are compared with the one that runs."""
_FIELDS: dict[str, type] = {"registry": str, "server": str, "move": bool, "group": str}


class Wanted(msgspec.Struct, frozen=True):
    """What somebody says that a server is."""

    registry: str
    server: str
    move: bool = False
    group: str = ""


class Meant(msgspec.Struct, frozen=True):
    """The entry that this is."""

    served: Served
    key: str
    latest: lookup.Read
    category: str
    """What it is for, which may be what its registry makes of its tags."""

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.key} of {'/'.join(self.served.owner)}"

    def is_said_by(self, installed: Installed) -> bool:
        """Whether a server names it already, or its registry alone."""
        if not installed.registry or claim_of(installed) != spelled(self.served.owner):
            return False
        return not installed.server or is_called(installed, self.key)

    def adopting(self, installed: Installed) -> Adoption:
        """What the server becomes."""
        running = _running(self.served.view(), self.latest.version.name, installed.image)
        entry = (running or self.latest).entry
        return Adoption(
            origin=Origin(*self.served.owner),
            entry=entry,
            facts=msgspec.structs.replace(facts_of(entry), category=self.category),
            is_version=running is not None,
        )


async def wanted_by(call: Call) -> Wanted:
    """What the body says; raises InvalidError for what it cannot say."""
    body = await read_value(call.request)
    errors = list(_errors(body))
    if errors:
        raise InvalidError("the request", errors)
    return Wanted(**body)


def _errors(body: JsonObject) -> Iterator[FieldError]:
    for name, value in body.items():
        kind = _FIELDS.get(name)
        if kind is None:
            yield FieldError(name, f"is not a field; known are {', '.join(_FIELDS)}", value)
        elif type(value) is not kind:
            what = "true or false" if kind is bool else "a text"
            yield FieldError(name, f"must be {what}", value)
    for name in ("registry", "server"):
        if body.get(name, "") == "":
            yield FieldError(name, "is required", body.get(name))
    if body.get("group", "") not in ("", *GROUPS):
        yield FieldError("group", f"must be one of {', '.join(GROUPS)}", body["group"])


async def meant_by(call: Call, catalog: Catalog, wanted: Wanted) -> Meant:
    """The entry; raises REGISTRY_NOT_FOUND and SERVER_NOT_FOUND, also for what the caller may not see."""
    served = _registry(await catalog.visible(call), call.names["namespace"], wanted.registry)
    joined, view = catalog.shelf.find(served.owner), served.view()
    server = lookup.server(view, wanted.server)
    latest = lookup.version(view, server.name, LATEST) if server else None
    if server is None or latest is None:
        raise ProblemError(
            Word.SERVER_NOT_FOUND,
            f'The registry {"/".join(served.owner)} has no server "{wanted.server}".',
            culprits=[Culprit("is not in this registry", "body.server", wanted.server)],
            hint="Names are compared exactly; look for one with /api/v1/servers?search=.",
        )
    if joined is None:
        raise ProblemError(
            Word.SNAPSHOT_UNAVAILABLE, "The registry was not joined yet.", retry_after=1
        )
    choice = Choice(catalog.shelf.scope([served.owner]), joined, server.name, ())
    shown = definition(catalog, choice, LATEST)
    category = shown.get("functional_category", "")
    return Meant(served, server.key, lookup.read(view, latest), category)


def _registry(visible: Iterable[Served], namespace: str, text: str) -> Served:
    """The registry of this name; by its name alone the server's own namespace comes first."""
    named = {"/".join(each.owner): each for each in visible if text in _names(each)}
    found = named.get(text) or named.get(f"{namespace}/{text}")
    if found is None and len(named) == 1:
        found = next(iter(named.values()))
    if found is not None:
        return found
    if named:
        message = f"is the name of several: {', '.join(islice(named, 5))}"
        raise InvalidError("the request", [FieldError("registry", message, text)])
    raise ProblemError(
        Word.REGISTRY_NOT_FOUND,
        f'There is no registry "{text}".',
        culprits=[Culprit("is no registry that you may see", "body.registry", text)],
        hint="Name one as namespace/name; they are listed at /api/v1/registries.",
    )


def _names(served: Served) -> tuple[str, str]:
    return served.owner[1], "/".join(served.owner)


# ---------------------------------------------------------------- versions


def _running(view: View, name: str, image: str) -> lookup.Read | None:
    """The version that names the image: the latest, the one that is called as its tag, else one of some others."""
    tag = image_tag(image).lstrip("v")

    def likely(version: lookup.Version) -> tuple[bool, bool]:
        return not version.latest, version.version.lstrip("v") != tag

    versions = sorted(lookup.versions(view, name), key=likely)[:_MOST_VERSIONS]
    reads = (lookup.read(view, version) for version in versions)
    return next((each for each in reads if is_image(image, _reference(each))), None)


def _reference(read: lookup.Read) -> str:
    return target_of(read.entry.server).reference
