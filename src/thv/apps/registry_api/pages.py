"""What the answers of all handlers share: tags, cache headers, links, envelopes.

In the flow: between a page of a read model and the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from thv.apps.kit.http.caching import (
    PRIVATE,
    PUBLIC,
    Validators,
    has_tag,
    http_date,
    is_current,
    not_modified,
    weak_tag,
)
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode
from thv.apps.registry_api.served import Served
from thv.stores.models.query import Form
from thv.stores.models.view import View

TOOLHIVE_JSON: Header = (b"content-type", b"application/json; format=toolhive")
UPSTREAM_JSON: Header = (b"content-type", b"application/json; format=upstream")
PLAIN_JSON: Header = (b"content-type", b"application/json")

_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


def content_type(form: Form) -> Header:
    """The type of server bodies of our own API."""
    return TOOLHIVE_JSON if form is Form.TOOLHIVE else UPSTREAM_JSON


def form_of(call: Call) -> Form:
    """The representation: of the query, else of the Accept header."""
    return Form(call.values.get("format") or call.offer.format or Form.TOOLHIVE)


def resolved(values: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """The parameters as something that can be hashed, the same in every process."""
    kept = dict(values)
    for name in without:
        kept.pop(name, None)
    selector = kept.get("labelSelector")
    if selector is not None:
        kept["labelSelector"] = str(selector)
    return kept


Make: TypeAlias = Callable[[], tuple[Header, bytes]]
"""Content type and body of an answer; not called for a client that has it already."""


def answer(
    call: Call,
    served: Served,
    view: View,
    make: Make,
    form: Form | None = None,
    *,
    values: Mapping[str, Any] | None = None,
) -> Answer:
    """The answer, or 304 when the client has it; `values` are the parameters where defaults depend on others."""
    etag = weak_tag(
        view.generation.digest,
        call.endpoint.id,
        call.base,
        view.generation.content,
        served.seal(view).tag,
        form,
        call.names,
        resolved(call.values if values is None else values, "format"),
    )
    validators = Validators(etag, http_date(view.generation.created_at))
    headers = (
        *validators.headers(),
        cache_control(call, served),
        (b"x-snapshot", view.generation.digest.encode()),
    )
    if has_tag(call.request, etag):
        return not_modified(headers)
    content_type, body = make()
    if is_current(call.request, validators):
        return not_modified(headers)
    return Answer(200, (content_type, *headers), body)


def cache_control(call: Call, served: Served) -> Header:
    """What a shared cache may keep: nothing that somebody had to identify for."""
    is_public = served.registry.spec.api.anonymous_read
    return PUBLIC if is_public and b"authorization" not in call.request.headers else PRIVATE


def next_link(call: Call, cursor: str) -> Header:
    """The address of the next page: that of this one with another cursor."""
    parts = call.request.query.split(b"&") if call.request.query else []
    kept = [part for part in parts if not part.startswith(b"cursor=")]
    query = b"&".join([*kept, b"cursor=" + cursor.encode()])
    host = call.request.header(b"host")
    origin = f"{call.request.scheme}://{host}".encode() if _HOST.fullmatch(host) else b""
    return (b"link", b'<%s%s?%s>; rel="next"' % (origin, call.request.path, query))


def listed(name: bytes, bodies: bytes, metadata: Mapping[str, Any]) -> bytes:
    """A list around bodies that are bytes already."""
    return b"".join((b'{"', name, b'":[', bodies, b'],"metadata":', encode(metadata), b"}"))
