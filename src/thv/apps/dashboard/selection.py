"""Servers that somebody put aside for a registry of their own.

In the flow: kept by the browser alone, as names: nothing is written anywhere until a registry is made of them.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote, unquote

COOKIE = "thv_selection"
MOST = 200
"""Servers of one registry that is made, as the API has it: each is asked for when they are shown."""
MOST_BYTES = 3500
"""What a browser surely keeps of one cookie."""
SECONDS = 30 * 24 * 3600


class FullError(Exception):
    """No more servers fit."""


def selected(text: str) -> tuple[str, ...]:
    """The servers of a cookie, each `namespace/registry/name`; what is none of that, or too much, is left out."""
    found = (unquote(each, errors="replace") for each in text.split(".") if each)
    return tuple(dict.fromkeys(each for each in found if is_server(each)))[:MOST]


def written(selection: tuple[str, ...]) -> str:
    """The value of the cookie; raises FullError for more than fits."""
    text = ".".join(quote(each, safe="/").replace(".", "%2E") for each in selection)
    if len(text) > MOST_BYTES or len(selection) > MOST:
        raise FullError
    return text


def is_server(text: str) -> bool:
    """Whether it names a server of a registry."""
    return len(text) <= 512 and all(text.split("/", 2)) and text.count("/") >= 2


def parts(server: str) -> tuple[str, str, str]:
    """Namespace, registry and name of a selected server."""
    namespace, registry, name = server.split("/", 2)
    return namespace, registry, name


def anchor(server: str) -> str:
    """A word for a server that may stand in addresses, ids and names of fields."""
    return f"s{hashlib.sha256(server.encode(errors='replace')).hexdigest()[:10]}"
