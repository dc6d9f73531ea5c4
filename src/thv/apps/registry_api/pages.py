"""What the answers of all handlers share: tags, cache headers, links, envelopes.

In the flow: between a page of a read model and the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

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
from thv.stores.models.bodies import MARK
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
    validators = validators_of(call, served, view, form, values=values)
    return answered(call, served, view, validators, make)


def validators_of(
    call: Call,
    served: Served,
    view: View,
    form: Form | None = None,
    *,
    values: Mapping[str, Any] | None = None,
) -> Validators:
    """What a client may ask with whether it has this answer."""
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
    return Validators(etag, http_date(view.generation.created_at))


def answered(call: Call, served: Served, view: View, validators: Validators, make: Make) -> Answer:
    """The answer to a client that has not got it already."""
    headers = (
        *validators.headers(),
        cache_control(call, served),
        (b"x-snapshot", view.generation.digest.encode()),
    )
    if has_tag(call.request, validators.etag):
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
    """The link to the next page."""
    return (b"link", f'<{next_url(call, cursor)}>; rel="next"'.encode())


def next_url(call: Call, cursor: str) -> str:
    """The address of the next page: that of this one with another cursor."""
    parts = call.request.query.split(b"&") if call.request.query else []
    kept = [part for part in parts if not part.startswith(b"cursor=")]
    query = b"&".join([*kept, b"cursor=" + cursor.encode()])
    host = call.request.header(b"host")
    origin = f"{call.request.scheme}://{host}" if _HOST.fullmatch(host) else ""
    return f"{origin}{call.request.path.decode('latin-1')}?{query.decode('latin-1')}"


class Frame(msgspec.Struct, frozen=True):
    """What stands around the bodies of a page."""

    opening: bytes
    closing: bytes

    def around(self, bodies: Sequence[bytes], seal: bytes = b"") -> bytes:
        """The page; `seal` is what stands for the mark in each body."""
        whole = self._joined(bodies)
        return whole.replace(MARK, seal) if seal else whole

    def _joined(self, bodies: Sequence[bytes]) -> bytes:
        # A page is some hundred kilobytes, so what is done for it is as long as it is copied often.
        if len(bodies) < 2:
            return b"".join((self.opening, *bodies, self.closing))
        first, *middle, last = bodies
        return b",".join((self.opening + first, *middle, last + self.closing))


def frame_of(name: bytes, metadata: Mapping[str, Any]) -> Frame:
    """The envelope of a list."""
    return Frame(b'{"%s":[' % name, b'],"metadata":%s}' % encode(metadata))


def listed(
    name: bytes, bodies: Sequence[bytes], metadata: Mapping[str, Any], seal: bytes = b""
) -> bytes:
    """A list around bodies that are bytes already."""
    return frame_of(name, metadata).around(bodies, seal)
