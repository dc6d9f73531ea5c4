"""What somebody typed about a registry of their own, so that it is there again when they come back.

In the flow: kept by the browser alone, beside the selection, as what differs from the form that nobody changed. Values of
variables are left out: what runs a server may be nobody else's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import parse_qsl, urlencode

from thv.apps.dashboard.forms import Form, first
from thv.apps.dashboard.wishes import AMOUNTS, SWITCHES, Server

COOKIE = "thv_wishes"
MOST_BYTES = 1500
"""What is kept: a browser sends it with every request, beside the selection."""
_MOST_FIELDS = 200
_OF_REGISTRY = (
    "registry_name",
    "namespace",
    "display_name",
    "image_registry",
    "include_tags",
    "exclude_tags",
    *SWITCHES,
)
_OF_SERVER = ("custom_image", "custom_image_digest", *AMOUNTS)
_WITHOUT, _NAMED = "without", "name:"


def remembered(form: Form, unchanged: Form, servers: Sequence[Server]) -> str:
    """The value of the cookie; of more than fits, what is about the registry, else nothing."""
    registry = list(_of_registry(form, unchanged))
    every = [*registry, *(pair for each in servers for pair in _of_server(form, each))]
    texts = (urlencode(pairs) for pairs in (every, registry))
    return next((text for text in texts if len(text) <= MOST_BYTES), "")


def recalled(text: str, unchanged: Form, servers: Sequence[Server]) -> Form:
    """The form with what a cookie says; what is none of its fields, any more or at all, is left out."""
    form = dict(unchanged)
    by_prefix = {each.prefix: each for each in servers}
    for name, value in _pairs(text):
        prefix, _, member = name.partition(".")
        server = by_prefix.get(prefix)
        if name in _OF_REGISTRY:
            form[name] = [value]
        elif server and member == _WITHOUT:
            form[f"{prefix}.tools"] = [each for each in form[f"{prefix}.tools"] if each != value]
        elif server and _is_kept(member, server):
            form[name] = [value]
    return form


def _of_registry(form: Form, unchanged: Form) -> Iterator[tuple[str, str]]:
    for name in _OF_REGISTRY:
        if first(form, name) != first(unchanged, name):
            yield name, first(form, name)


def _of_server(form: Form, server: Server) -> Iterator[tuple[str, str]]:
    offered = form.get(f"{server.prefix}.tools", [])
    for tool in server.tools:
        if tool not in offered:
            yield f"{server.prefix}.{_WITHOUT}", tool
    for name in form:
        prefix, _, member = name.partition(".")
        if prefix == server.prefix and _is_kept(member, server) and first(form, name):
            yield name, first(form, name)


def _is_kept(member: str, server: Server) -> bool:
    renamed = member.removeprefix(_NAMED)
    return member in _OF_SERVER or (member != renamed and renamed in server.tools)


def _pairs(text: str) -> list[tuple[str, str]]:
    """What was kept, or what somebody else put there."""
    try:
        return parse_qsl(
            text[:MOST_BYTES], keep_blank_values=True, errors="replace", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        return []
