"""Where somebody is sent next.

In the flow: forms and sign-in name a place to go on; only places of ours are taken.
"""

from __future__ import annotations


def own_path(text: str) -> str:
    """The path if it is one of ours, else the overview: nobody is sent elsewhere by a link to us."""
    is_own = text.startswith("/") and not text.startswith(("//", "/signin", "/signout"))
    is_plain = text.isascii() and text.isprintable() and "\\" not in text and " " not in text
    return text if is_own and is_plain else "/"
