"""Names as Kubernetes can carry them, and patterns over names.

Upstream names contain `/`, capitals and up to 200 characters; label values and object names cannot. The exact
text always travels in an annotation; lookups compare that, never a slug.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

TOOLHIVE_PREFIX = "io.github.stacklok/"

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)
_KEPT = 4096
"""Characters of an expression that `re` may keep for the next time."""
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def label_value(text: str) -> str:
    """The text itself where a label value may hold it, else a slug and 8 hex digits of its sha256."""
    if _LABEL.fullmatch(text):
        return text
    return f"{_slug(text)}-{short_hash(text)}"


def object_name(text: str) -> str:
    """Like `label_value`, for the name of an object: lower case and without dots."""
    plain = text.replace(".", "-")
    if plain == plain.lower() and "_" not in plain and _LABEL.fullmatch(plain):
        return plain
    return f"{_slug(text)}-{short_hash(text)}"


def _slug(text: str) -> str:
    return _NOT_SLUG.sub("-", text.lower()).strip("-")[:52].strip("-") or "x"


def short_hash(text: str) -> str:
    """What stands at the end of a name that is a short form of this text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def toolhive_key(name: str) -> str:
    """The key of an entry in a ToolHive document: its official name without ToolHive's own prefix."""
    return name.removeprefix(TOOLHIVE_PREFIX)


def official_name(key: str) -> str:
    """The official name of a ToolHive key."""
    return key if "/" in key else TOOLHIVE_PREFIX + key


def glob_matcher(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """One expression for all patterns: `*` any run of characters (`/` too), `?` one; None without patterns."""
    parts = [_glob(pattern) for pattern in patterns]
    if not parts:
        return None
    expression = "|".join(parts)
    compiled = re.compile(expression, re.DOTALL)
    if len(expression) > _KEPT:
        re.purge()  # it keeps the last 512, of which each may take a megabyte
    return compiled


def _glob(pattern: str) -> str:
    # Atomic groups make every part between two stars match at its first place and never again, so that a
    # pattern of many stars stays linear in the name.
    first, *rest = (_literal(part) for part in re.sub(r"\*+", "*", pattern).split("*"))
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{part})" for part in middle) + ".*" + last


def _literal(part: str) -> str:
    return "".join("." if char == "?" else re.escape(char) for char in part)
