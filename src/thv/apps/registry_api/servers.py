"""R1 to R4: servers and their versions in both formats.

In the flow: a handler turns parameters into a query, asks the read model, and puts what belongs to the registry
into the bytes that come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.apps.registry_api.cursors import Cursor, cursor_text, position_in, query_tag
from thv.apps.registry_api.pages import (
    PLAIN_JSON,
    Frame,
    answer,
    answered,
    content_type,
    form_of,
    frame_of,
    listed,
    next_link,
    resolved,
    validators_of,
)
from thv.apps.registry_api.prepared import Prepared, recalled, remember
from thv.apps.registry_api.served import Served
from thv.domain.canonical import JsonObject
from thv.stores.models import lookup, servers
from thv.stores.models.bodies import without_info
from thv.stores.models.lookup import Read, Version
from thv.stores.models.query import LATEST, Form, ListQuery, Page, Position, Sort, Where
from thv.stores.models.view import View


def place_of(call: Call) -> Served:
    """The registry of the base; raises REGISTRY_NOT_FOUND when there is none."""
    if isinstance(call.place, Served):
        return call.place
    raise ProblemError(
        Word.REGISTRY_NOT_FOUND,
        "There is no such registry.",
        field="registry",
        value=call.base.rpartition("/")[2],
    )


# ---------------------------------------------------------------- R1


def list_servers(call: Call) -> Answer:
    """R1: the servers of a registry."""
    served, form = place_of(call), form_of(call)
    return recalled(call, served, form) or _list_servers(call, served, form)


def _list_servers(call: Call, served: Served, form: Form) -> Answer:
    cursor: Cursor | None = call.values["cursor"]
    values = {**call.values, "sort": _sort(call.values)}
    query = _query(values, served, form)
    tag = query_tag(call.endpoint.id, form, resolved(values, "cursor", "limit", "format"))
    after = position_in(cursor, tag)
    view = served.view_of(cursor.content) if cursor else served.view()
    validators = validators_of(call, served, view, form, values=values)
    more: list[Header] = []
    rows = 0

    def make() -> tuple[Header, bytes]:
        nonlocal rows
        page = servers.page(view, query, after, call.values["limit"])
        following, rows = "", page.plan.count
        if page.following:
            following = cursor_text(page.following, view.generation.content, tag)
            more.append(next_link(call, following))
        frame = frame_of(b"servers", _metadata(form, page, following))
        if page.converted or not call.values["include_registry_info"]:
            return content_type(form), _changed_bodies(call, served, view, page, frame)
        headers = (content_type(form), *more)
        prepared = Prepared(validators.etag, headers, frame, page.plan)
        remember(call, served, view, form, prepared)
        return content_type(form), prepared.body(served, view)

    answer = answered(call, served, view, validators, make)
    return answer.with_headers(more, rows=rows)


def _query(values: Mapping[str, Any], served: Served, form: Form) -> ListQuery:
    where = Where(
        categories=values["category"],
        transports=values["transport"],
        tiers=values["tier"],
        statuses=values["status"],
        kinds=values["kind"],
        trust_levels=values["trust_level"],
        tags=values["tags"],
        tools=values["tools"],
        groups=values["group"],
        registries=values["registry"],
        labels=values["labelSelector"].requirements if values["labelSelector"] else (),
        search=values["search"],
        updated_since=values["updated_since"],
    )
    sort: str = values["sort"]
    return ListQuery(
        own=served.own,
        where=where,
        version=values["version"],
        form=form,
        sort=Sort(sort.removeprefix("-")),
        descending=sort.startswith("-"),
        text_ranking=values["rank"] == "bm25",
    )


def _sort(values: Mapping[str, Any]) -> str:
    searching = values["search"] is not None
    sort: str = values["sort"] or ("relevance" if searching else "name")
    if sort.removeprefix("-") == "relevance" and not searching:
        raise _needs_search("sort", sort)
    if values["rank"] and not (searching and sort == "relevance"):
        raise _needs_search("rank", values["rank"])
    return sort


def _needs_search(field: str, value: str) -> ProblemError:
    message = "needs search, and the order of relevance"
    return ProblemError(
        Word.INVALID_REQUEST,
        f"{field}={value} {message}.",
        culprits=[Culprit(message, f"query.{field}", value)],
    )


def _metadata(form: Form, page: Page, following: str) -> JsonObject:
    if form is Form.OFFICIAL:
        metadata: JsonObject = {"count": page.plan.count}
        return {**metadata, "nextCursor": following} if following else metadata
    metadata = {
        "total_count": page.total,
        "filtered_count": page.filtered,
        "count": page.plan.count,
    }
    return {**metadata, "next_cursor": following} if following else metadata


def _changed_bodies(call: Call, served: Served, view: View, page: Page, frame: Frame) -> bytes:
    """A page of bodies that are not sent as they are kept."""
    bodies, form = view.model.read_each(page.plan) if page.plan.count else [], page.plan.form
    if page.converted:
        bodies = [lookup.toolhive_body(view, body)[0] for body in bodies]
        form = Form.TOOLHIVE
    if form is Form.TOOLHIVE and not call.values["include_registry_info"]:
        return frame.around([without_info(each) for each in bodies])
    return frame.around(bodies, served.seal(view).of(form))


# ---------------------------------------------------------------- R2, R4


def read_server(call: Call) -> Answer:
    """R2: one server, its latest version or another one."""
    if call.values["version"] != LATEST:
        return _read_version(call, call.values["version"])
    served, form = place_of(call), form_of(call)
    view = served.view()

    def make() -> tuple[Header, bytes]:
        found = lookup.stretch(view, call.names["name"], form)
        if found is None:
            raise server_not_found(call)
        body = view.model.body(form, found.place, found.size)
        if form is Form.TOOLHIVE and not call.values["include_registry_info"]:
            return content_type(form), body[: found.plain] + b"}"
        return content_type(form), served.seal(view).on(form, body)

    return answer(call, served, view, make, form)


def read_version(call: Call) -> Answer:
    """R4: one version of a server."""
    return _read_version(call, call.names["version"])


def _read_version(call: Call, text: str) -> Answer:
    served, form = place_of(call), form_of(call)
    view = served.view()

    def make() -> tuple[Header, bytes]:
        found = version_of(call, view, text)
        body = view.model.body(Form.OFFICIAL, found.place, found.size)
        if form is Form.OFFICIAL:
            return content_type(form), served.seal(view).on(form, body)
        whole, plain = lookup.toolhive_body(view, body)
        if not call.values["include_registry_info"]:
            return content_type(form), whole[:plain] + b"}"
        return content_type(form), served.seal(view).on(form, whole)

    return answer(call, served, view, make, form)


def version_of(call: Call, view: View, text: str) -> Version:
    """A served version of the server in the path; raises SERVER_NOT_FOUND or VERSION_NOT_FOUND."""
    name = lookup.name_of(view, call.names["name"])
    if name is None or not lookup.versions(view, name):
        raise server_not_found(call)
    found = lookup.version(view, name, text)
    if found is None:
        raise ProblemError(
            Word.VERSION_NOT_FOUND,
            f"There is no version {text} of this server.",
            field="version",
            value=text,
            hint="List the versions at .../versions.",
        )
    return found


def server_not_found(call: Call) -> ProblemError:
    """The same words whether it never was, or may not be seen."""
    return ProblemError(
        Word.SERVER_NOT_FOUND,
        "There is no such server.",
        field="name",
        value=call.names["name"],
        hint="Names are compared exactly; look for one with ?search=.",
    )


# ---------------------------------------------------------------- R3


def list_versions(call: Call) -> Answer:
    """R3: the versions of a server, newest first."""
    served, form = place_of(call), form_of(call)
    cursor: Cursor | None = call.values["cursor"]
    tag = query_tag(call.endpoint.id, form, call.names, resolved(call.values, "cursor", "limit"))
    start = position_in(cursor, tag).place
    view = served.view_of(cursor.content) if cursor else served.view()
    more: list[Header] = []

    def make() -> tuple[Header, bytes]:
        every = read_versions(call, view)
        if call.values["sort"] == "version":
            every.reverse()
        shown = every[start : start + call.values["limit"]]
        stop, following = start + len(shown), ""
        if stop < len(every):
            following = cursor_text(Position(stop), view.generation.content, tag)
            more.append(next_link(call, following))
        if form is Form.OFFICIAL:
            return content_type(form), official_list(served, view, shown)
        metadata = {"total_count": len(every), "filtered_count": len(every), "count": len(shown)}
        return PLAIN_JSON, encode(
            {
                "name": call.names["name"],
                "versions": [_summary(served, each) for each in shown],
                "metadata": {**metadata, "next_cursor": following} if following else metadata,
            }
        )

    return answer(call, served, view, make, form).with_headers(more)


def read_versions(call: Call, view: View) -> list[Read]:
    """The served versions of the server in the path, newest first; raises SERVER_NOT_FOUND."""
    name = lookup.name_of(view, call.names["name"])
    found = lookup.versions(view, name) if name else []
    if not found:
        raise server_not_found(call)
    return lookup.newest_first([lookup.read(view, version) for version in found])


def official_list(served: Served, view: View, reads: list[Read]) -> bytes:
    """Some versions, in this order, in the official envelope."""
    found = [each.version for each in reads]
    bodies = [view.model.body(Form.OFFICIAL, each.place, each.size) for each in found]
    seal = served.seal(view).of(Form.OFFICIAL)
    return listed(b"servers", bodies, {"count": len(bodies)}, seal)


def _summary(served: Served, each: Read) -> JsonObject:
    entry, said = each.entry, each.said
    carried = (said.origin or {}).get("trust_level")
    return {
        "version": entry.version,
        "is_latest": each.version.latest,
        "status": entry.status.value,
        "status_message": entry.status_message or None,
        "published_at": entry.published_at or None,
        "updated_at": entry.updated_at or None,
        "digest": said.revision,
        "trust_level": carried or served.own.trust_level,
    }
