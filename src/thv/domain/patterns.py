"""Regular expressions that mean what RE2 gives them.

In the flow: under every schema and rule. The API server matches with RE2, Python with `re`; the same text must
give the same verdict in both, so that an object that one machine takes is taken by a cluster.
"""

from __future__ import annotations

import re
from functools import cache

_TOKEN = re.compile(r"\\.|\[\^?\]?|\]|\$|[^\\\[\]$]+", re.DOTALL)
_SPACE = r"\t\n\f\r "  # RE2 leaves out the vertical tab, which `re` counts


@cache
def re2(pattern: str) -> re.Pattern[str]:
    """The pattern for `search`: `$` is the end of the text, classes are ASCII."""
    return re.compile(_translated(pattern), re.ASCII)


def _translated(pattern: str) -> str:
    parts: list[str] = []
    in_class = False
    for part in _TOKEN.findall(pattern):
        if part in {r"\s", r"\S"}:
            parts.append(_space_class(part, in_class=in_class))
        elif part == "$" and not in_class:
            parts.append(r"\Z")
        elif part == "[" and in_class:
            parts.append(r"\[")
        else:
            in_class = (in_class or part.startswith("[")) and part != "]"
            parts.append(part)
    return "".join(parts)


def _space_class(part: str, *, in_class: bool) -> str:
    if not in_class:
        return f"[{_SPACE}]" if part == r"\s" else f"[^{_SPACE}]"
    if part == r"\S":
        raise ValueError(r"\S inside a character class is not translated; spell the class out")
    return _SPACE
