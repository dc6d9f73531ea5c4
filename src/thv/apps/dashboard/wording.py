"""How values are written for people: ages, sizes, and texts that may try to look like something else.

In the flow: filters of the templates.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
"""What is not seen, or changes how what follows is seen."""
_PICTURE = "[\u00a9\u00ae\u203c\u2049\u2100-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
_OF_PICTURES = re.compile(
    f"(?<={_PICTURE})\ufe0f|(?<=[\ufe0f\U0001f000-\U0001faff])\u200d(?={_PICTURE})"
)
"""What chooses or joins pictures: ⚠ with its colours, one person of two. Elsewhere it hides something."""
_STEPS = ((60, "s"), (3600, "min"), (86400, "h"), (86400 * 60, "d"), (86400 * 730, "mo"))
_DIVISORS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "mo": 86400 * 30}
_YEAR = 86400 * 365


def visible(text: str) -> str:
    """The text with everything shown that would not be seen: `⟨U+202E⟩`."""
    return _HIDDEN.sub(partial(_shown, harmless=_harmless(text)), text)


def _shown(found: re.Match[str], harmless: frozenset[int]) -> str:
    return found[0] if found.start() in harmless else f"⟨U+{ord(found[0]):04X}⟩"


def _harmless(text: str) -> frozenset[int]:
    return frozenset(each.start() for each in _OF_PICTURES.finditer(text))


def hidden_in(text: str) -> list[str]:
    """The names of the characters of a text that would not be seen, each once."""
    harmless = _harmless(text)
    every = (each for each in _HIDDEN.finditer(text) if each.start() not in harmless)
    found = dict.fromkeys(each[0] for each in every)
    return [f"U+{ord(each):04X} {unicodedata.name(each, 'control character')}" for each in found]


def hidden_places(value: Any, most: int = 50) -> list[tuple[str, list[str]]]:
    """Where in a document there are such characters, as JSON pointers, and which; no more than `most`."""
    return list(islice(_hidden_places(value, ""), most))


def _hidden_places(value: Any, place: str) -> Iterator[tuple[str, list[str]]]:
    match value:
        case str():
            found = [] if value.isascii() and value.isprintable() else hidden_in(value)
            if found:
                yield place, found
        case dict():
            for key, each in value.items():
                yield from _hidden_places(key, f"{place}/{key} (name)")
                yield from _hidden_places(each, f"{place}/{key}")
        case list():
            for number, each in enumerate(value):
                yield from _hidden_places(each, f"{place}/{number}")
        case _:
            return


def age(moment: str | None, now: datetime | None = None) -> str:
    """How long ago a time of RFC 3339 was, as `kubectl` has it but for blanks; `""` for none."""
    if not moment:
        return ""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    seconds = int(((now or datetime.now(UTC)) - then).total_seconds())
    if seconds < 0:
        return f"in {_span(-seconds)}"
    return f"{_span(seconds)} ago" if seconds else "now"


def _span(seconds: int) -> str:
    for limit, unit in _STEPS:
        if seconds < limit:
            return f"{seconds // _DIVISORS[unit]} {unit}"
    return f"{seconds // _YEAR} y"


def link(address: object) -> str:
    """The address if a browser may go there: http or https with a host; else `""`."""
    if not isinstance(address, str) or _HIDDEN.search(address) or " " in address:
        return ""
    try:
        parts = urlsplit(address)
        return address if parts.scheme.lower() in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""


def short_digest(digest: str | None) -> str:
    """The algorithm and the first characters of a digest."""
    if not digest:
        return ""
    kind, _, rest = digest.rpartition(":")
    return f"{kind}:{rest[:12]}…" if len(rest) > 12 else digest


def number(value: float) -> str:
    """A number with its thousands apart."""
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else f"{value:g}"


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def passages(text: str) -> list[tuple[bool, str]]:
    """Headings and paragraphs of a text in Markdown, each with whether it is a heading; all else stays as it was written."""
    found: list[tuple[bool, str]] = []
    for block in text.split("\n\n"):
        first, _, rest = block.strip().partition("\n")
        mark, _, words = first.partition(" ")
        is_heading = bool(words) and not mark.strip("#") and mark != ""
        found += [(True, words.strip())] if is_heading else []
        found += [(False, left)] if (left := rest if is_heading else block).strip() else []
    return found


def pieces(text: str) -> list[tuple[str, bool]]:
    """Parts of a text in which backticks set apart what is typed, each with whether it is that."""
    parts = text.split("`")
    return [(part, index % 2 == 1) for index, part in enumerate(parts) if part]


def sentence(text: str) -> str:
    """The text with a capital at its head, unless it begins with an address or a name in quotes."""
    return text if text.startswith(("http", "/")) else text[:1].upper() + text[1:]
