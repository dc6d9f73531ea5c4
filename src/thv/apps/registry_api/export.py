"""R12: a whole registry as one document, and what that document cannot say.

In the flow: streamed entry by entry, so that a registry of any size takes no memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator

from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode
from thv.apps.kit.http.negotiation import YAML_TYPE
from thv.apps.registry_api.pages import answer, form_of
from thv.apps.registry_api.servers import place_of
from thv.apps.registry_api.yaml_text import yaml_text
from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry
from thv.formats.documents import Head, official_document, toolhive_document
from thv.stores.models import export
from thv.stores.models.query import Form
from thv.stores.models.view import View

_PIECE = 64 * 1024


def export_registry(call: Call) -> Answer:
    """The document, as JSON or YAML."""
    served, form = place_of(call), form_of(call)
    view = served.view()
    is_yaml = call.offer.type == YAML_TYPE
    suffix = "yaml" if is_yaml else "json"

    def make() -> tuple[Header, bytes]:
        return (b"content-type", f"application/{suffix}".encode()), b""

    head = answer(call, served, view, make, form)
    if head.status != 200:
        return head
    more: list[Header] = [
        (
            b"content-disposition",
            f'attachment; filename="{served.registry.name}.{form.value}.{suffix}"'.encode(),
        ),
        (
            b"link",
            f'<{call.base}/api/v1/export/losses?format={form.value}>; rel="describedby"'.encode(),
        ),
    ]
    body = _stream(_document(view, form, is_yaml=is_yaml))
    return Answer(200, (*head.headers, *more), body)


def _document(view: View, form: Form, *, is_yaml: bool) -> Iterator[bytes]:
    head = Head(version="1.0.0", last_updated=view.generation.created_at)

    def entries() -> Iterable[Entry]:
        return export.entries(view, latest=form is Form.TOOLHIVE)

    write = toolhive_document if form is Form.TOOLHIVE else official_document
    document = write(entries, head)
    return yaml_text(document) if is_yaml else document


async def _stream(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Larger pieces, with room for other requests between them."""
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
            await asyncio.sleep(0)
    yield b"".join(gathered)


def list_losses(call: Call) -> Answer:
    """What the document of this format leaves out."""
    served, form = place_of(call), form_of(call)
    view = served.view()

    def make() -> tuple[Header, bytes]:
        losses = list(_losses(view)) if form is Form.TOOLHIVE else []
        return (b"content-type", b"application/json"), encode({"losses": losses})

    return answer(call, served, view, make, form)


def _losses(view: View) -> Iterator[JsonObject]:
    """A ToolHive document has one entry a name; everything else of an entry is parked in it."""
    for name, version in export.older_versions(view):
        yield {
            "name": name,
            "version": version,
            "field": "version",
            "reason": "a ToolHive document has one entry a name, the latest version",
        }
