"""O1 to O5: the official API of a registry.

In the flow: as `servers`, with the words, statuses and patience that clients of the official registry expect.
"""

from __future__ import annotations

from typing import Any, NoReturn

from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.apps.registry_api.cursors import Cursor, cursor_text
from thv.apps.registry_api.pages import (
    PLAIN_JSON,
    answer,
    answered,
    frame_of,
    validators_of,
)
from thv.apps.registry_api.prepared import Prepared, recalled, remember
from thv.apps.registry_api.served import Served
from thv.apps.registry_api.servers import official_list, place_of
from thv.domain.canonical import JsonObject
from thv.stores.models import lookup, official
from thv.stores.models.lookup import Stretch, Version
from thv.stores.models.query import ALL, LATEST, START, Form, OfficialQuery
from thv.stores.models.view import View

NO_SERVER = "Server not found"
NO_VERSION = "Server version not found"


def list_servers(call: Call) -> Answer:
    """O1: every version, by name and version."""
    served = place_of(call)
    return recalled(call, served, Form.OFFICIAL) or _list_servers(call, served)


def _list_servers(call: Call, served: Served) -> Answer:
    view = served.view()
    query = official_query(call.values)
    cursor: Cursor | None = call.values["cursor"]
    validators = validators_of(call, served, view)

    rows = 0

    def make() -> tuple[Header, bytes]:
        nonlocal rows
        after = cursor.position if cursor else START
        page = official.page(view, query, after, call.values["limit"])
        rows = page.plan.count
        following = cursor_text(page.following) if page.following else ""
        frame = frame_of(b"servers", metadata(page.plan.count, following))
        prepared = Prepared(validators.etag, (PLAIN_JSON,), frame, page.plan)
        remember(call, served, view, Form.OFFICIAL, prepared)
        return PLAIN_JSON, prepared.body(served, view)

    return answered(call, served, view, validators, make).with_headers((), rows=rows)


def metadata(count: int, following: str) -> JsonObject:
    """The envelope of a page; without a next page the cursor is absent, never empty."""
    found: JsonObject = {"count": count}
    return {**found, "nextCursor": following} if following else found


def official_query(values: Any) -> OfficialQuery:
    """The query of the parameters; raises INVALID_REQUEST for a contradiction."""
    since, deleted = values["updated_since"], values["include_deleted"]
    if since is not None and deleted is False:
        message = "cannot be false with updated_since, which reports deleted servers"
        raise ProblemError(
            Word.INVALID_REQUEST,
            f"include_deleted {message}.",
            culprits=[Culprit(message, "query.include_deleted", "false")],
        )
    return OfficialQuery(
        search=values["search"] or "",
        updated_since=since,
        include_deleted=bool(deleted) or since is not None,
        version=values["version"] or ALL,
    )


def list_versions(call: Call) -> Answer:
    """O2: the versions of a server, newest first."""
    served = place_of(call)
    view = served.view()

    def make() -> tuple[Header, bytes]:
        found = lookup.newest_first([lookup.read(view, each) for each in _versions(call, view)])
        return PLAIN_JSON, official_list(served, view, found)

    return answer(call, served, view, make)


def read_version(call: Call) -> Answer:
    """O3: one version of a server."""
    return _read(call, call.names["version"])


def read_latest(call: Call) -> Answer:
    """O4: the latest version of a server, for clients of an older API."""
    return _read(call, LATEST)


def _read(call: Call, text: str) -> Answer:
    served = place_of(call)
    view = served.view()

    def make() -> tuple[Header, bytes]:
        found = _asked_directly(call, view, text) or _looked_for(call, view, text)
        body = view.model.body(Form.OFFICIAL, found.place, found.size)
        return PLAIN_JSON, served.seal(view).on(Form.OFFICIAL, body)

    return answer(call, served, view, make)


def _asked_directly(call: Call, view: View, text: str) -> Stretch | Version | None:
    """What one question to the database finds: a version that is served, of an official name."""
    name, include = call.names["name"], call.values["include_deleted"]
    if text == LATEST:
        return None if include else lookup.stretch(view, name, Form.OFFICIAL)
    found = lookup.exactly(view, name, text)
    return found if found is not None and (include or not found.gone) else None


def _looked_for(call: Call, view: View, text: str) -> Version:
    """The same for every spelling of a name; raises SERVER_NOT_FOUND or VERSION_NOT_FOUND."""
    return _version(_versions(call, view), text)


def _versions(call: Call, view: View) -> list[Version]:
    name = lookup.name_of(view, call.names["name"])
    include = call.values["include_deleted"]
    found = lookup.versions(view, name, include_gone=include) if name else []
    if not found:
        raise not_found(Word.SERVER_NOT_FOUND, "serverName", call.names["name"])
    return found


def _version(every: list[Version], text: str) -> Version:
    wanted = (each for each in every if (each.latest if text == LATEST else each.version == text))
    found = next(wanted, None)
    if found is None:
        raise not_found(Word.VERSION_NOT_FOUND, "version", text)
    return found


def not_found(word: Word, field: str, value: str) -> ProblemError:
    """In the official registry's own words."""
    message = NO_VERSION if word is Word.VERSION_NOT_FOUND else NO_SERVER
    return ProblemError(word, message, field=field, value=value)


def refuse_publishing(_: Call) -> NoReturn:
    """O5: servers come in by a source, not by this API."""
    raise ProblemError(Word.NOT_IMPLEMENTED, "Publishing is not supported by this registry")
