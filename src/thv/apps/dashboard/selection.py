"""Servers that somebody put aside for a registry of their own.

In the flow: kept by the browser alone, as names: nothing is written anywhere until a registry is made of them.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

COOKIE = "thv_selection"
MOST_BYTES = 3500
"""What a browser surely keeps of one cookie."""


def selected(text: str) -> tuple[str, ...]:
    """The servers of a cookie, each `namespace/registry/name`; what is none of that is left out."""
    found = (unquote(each, errors="replace") for each in text.split(".") if each)
    return tuple(dict.fromkeys(each for each in found if each.count("/") >= 2))


def written(selection: tuple[str, ...]) -> str:
    """The value of the cookie; raises ValueError for more than fits."""
    text = ".".join(quote(each, safe="/").replace(".", "%2E") for each in selection)
    if len(text) > MOST_BYTES:
        raise ValueError("no more fit")
    return text


def parts(server: str) -> tuple[str, str, str]:
    """Namespace, registry and name of a selected server."""
    namespace, registry, name = server.split("/", 2)
    return namespace, registry, name
