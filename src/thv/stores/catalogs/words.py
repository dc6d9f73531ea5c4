"""The words under which an entry is found.

In the flow: `join` cuts the texts of an entry. Beside the words of a registry's own index there are the parts of words
that are written in humps, so that `pullRequest` is found by `request`.
"""

from __future__ import annotations

import re

from thv.stores.models.words import folded, words_of

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_NAMED = re.compile(r"[^\W_]+")


HOSTS = ("io.github.", "io.gitlab.", "ai.smithery/")
"""What names of many begin with, who have nothing to do with each other: nobody seeks a server by it."""


def parted(name: str) -> tuple[str, str]:
    """The host that a name begins with, and what is its own."""
    host = next((host for host in HOSTS if name.startswith(host)), "")
    return host, name.removeprefix(host)


def spoken(text: str) -> str:
    """The words of a text between spaces, those in humps also in parts."""
    words = words_of(text)
    parts = [part for word in _NAMED.findall(text) for part in humps(word)]
    return " ".join([*words, *parts])


def humps(word: str) -> list[str]:
    """The parts of a word that is written in humps, `[]` of any other one."""
    parts = _HUMPS.split(word)
    return [folded(part) for part in parts] if len(parts) > 1 else []
