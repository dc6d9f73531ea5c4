"""What the answers of all handlers share: tags, cache headers, links, envelopes.

In the flow: between a page of a read model and the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlencode

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
from thv.apps.kit.http.parameters import pairs_of
from thv.apps.registry_api.served import Served
from thv.domain.selectors import Selector
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


def resolved(values: Mapping[str, Any], *without: str) -> list[object]:
    """The parameters as something that can be hashed, in the order of their table."""
    return [
        str(value) if isinstance(value, Selector) else value
        for name, value in values.items()
        if name not in without
    ]


Make: TypeAlias = Callable[[], tuple[Header, bytes]]
"""Content type and body of an answer; not called for a client that has it already."""


def answer(call: Call, served: Served, view: View, make: Make, form: Form | None = None) -> Answer:
    """The answer, or 304 when the client has it."""
    etag = weak_tag(
        view.generation.digest,
        call.endpoint.id,
        call.base,
        view.generation.content,
        served.seal(view).tag,
        form,
        call.names,
        resolved(call.values),
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
    """The address of the next page."""
    pairs = [pair for pair in pairs_of(call.request.query) if pair[0] != "cursor"]
    query = urlencode([*pairs, ("cursor", cursor)])
    host = call.request.header(b"host")
    origin = f"{call.request.scheme}://{host}" if _HOST.fullmatch(host) else ""
    path = call.request.path.decode("latin-1")
    return (b"link", f'<{origin}{path}?{query}>; rel="next"'.encode("latin-1"))


def listed(name: bytes, bodies: bytes, metadata: Mapping[str, Any]) -> bytes:
    """A list around bodies that are bytes already."""
    return b"".join((b'{"', name, b'":[', bodies, b'],"metadata":', encode(metadata), b"}"))
