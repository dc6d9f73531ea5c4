"""Pages but for the bytes of their bodies: what the same address is answered with again.

In the flow: a list remembers here what it found out, in the bounded cache of results. Who follows cursors, or
shows the same page to many, asks the same addresses; what is left to do then is reading bodies from a file.
"""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

from thv.apps.kit.http.caching import Validators, http_date
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header
from thv.apps.registry_api.pages import Frame, answered
from thv.apps.registry_api.served import Served
from thv.stores.models.query import Form, Plan
from thv.stores.models.view import View

_OVERHEAD = 1200
"""Bytes of memory that a page takes beside its plan, roughly."""


class Prepared(msgspec.Struct, frozen=True):
    """All that a page is made of."""

    etag: str
    headers: tuple[Header, ...]
    frame: Frame
    plan: Plan

    def body(self, served: Served, view: View) -> bytes:
        """The page; its bodies are read now."""
        bodies = view.model.read_each(self.plan) if self.plan.count else []
        return self.frame.around(bodies, served.seal(view).of(self.plan.form))


def recalled(call: Call, served: Served, form: Form) -> Answer | None:
    """The answer to an address that was asked before, None for another one."""
    view = served.view()
    known: Prepared | None = view.remembered(_address(call, served, view, form))
    if known is None:
        return None
    content_type, *more = known.headers
    answer = answered(
        call,
        served,
        view,
        Validators(known.etag, http_date(view.generation.created_at)),
        lambda: (content_type, known.body(served, view)),
    )
    return answer.with_headers(more, rows=known.plan.count)


def remember(call: Call, served: Served, view: View, form: Form, page: Prepared) -> None:
    """Keeps a page of what is served now; what is older will not be asked for often."""
    if view.generation == view.model.current:
        key = _address(call, served, view, form)
        view.remember(key, page, page.plan.cost + len(call.request.query) + _OVERHEAD)


def _address(call: Call, served: Served, view: View, form: Form) -> Hashable:
    request = call.request
    return (
        call.endpoint.id,
        call.base,
        request.query,
        form,
        request.headers.get(b"host"),
        request.scheme,
        served.seal(view).tag,
    )
