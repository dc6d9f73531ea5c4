"""Where somebody is sent next.

In the flow: forms and sign-in name a place to go on; only places of ours are taken.
"""

from __future__ import annotations

import re

_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
"""A segment at which a browser turns back, and asks for another path than the one that is written."""


def own_path(text: str) -> str:
    """The path if it is one of ours, else the overview: nobody is sent elsewhere by a link to us."""
    path = re.split("[?#]", text, maxsplit=1)[0]
    is_own = path.startswith("/") and not path.startswith(("//", "/signin", "/signout"))
    is_straight = _DOTS.search(path) is None
    is_plain = text.isascii() and text.isprintable() and "\\" not in text and " " not in text
    return text if is_own and is_straight and is_plain else "/"
