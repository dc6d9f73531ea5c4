"""Query parameters as a table: what each is called, how it is read, and what it may be.

In the flow: after the representation is chosen, before a handler runs. One row here is the parser, the error
message and the entry in the OpenAPI document.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

import msgspec

from thv.apps.kit.http.problems import Culprit, Family, ProblemError, Word
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.selectors import Selector, parse_selector

Parse: TypeAlias = Callable[[str], Any]
"""A value of its text; raises ValueError with what it must be."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Pairs: TypeAlias = list[tuple[str, str]]


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One query parameter."""

    name: str
    parse: Parse
    schema: JsonObject
    description: str
    many: bool = False
    """A list: comma-separated, repeated, or both."""
    at_most: int = 100
    default: Any = None
    required: bool = False
    """As the document says it; its handler refuses a request without."""
    hint: str = ""
    """What somebody may have meant whose value is none."""
    typed: bool = False
    """Where the official API says 422 instead of 400."""


def pairs_of(query: bytes) -> Pairs:
    """The parameters in the order sent; raises ProblemError for what cannot be text."""
    if not query:
        return []
    return [_pair(part) for part in query.split(b"&") if part]


def _pair(part: bytes) -> tuple[str, str]:
    raw_name, _, raw_value = part.partition(b"=")
    name = _text(raw_name, "query")
    return name, _text(raw_value, name)


def _text(raw: bytes, field: str) -> str:
    plain = raw.replace(b"+", b" ")
    try:
        return (unquote_to_bytes(plain) if b"%" in plain else plain).decode()
    except UnicodeDecodeError as error:
        raise _invalid(field, "is not valid UTF-8 after decoding", raw.decode("latin-1")) from error


class Table:
    """The parameters of an endpoint by name."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.by_name = {parameter.name: parameter for parameter in parameters}
        self._defaults = {name: each.default for name, each in self.by_name.items()}

    def read(self, pairs: Pairs, family: Family) -> dict[str, Any]:
        """Every parameter with its value or default; raises ProblemError naming every culprit."""
        values = self._defaults.copy()
        if not pairs:
            return values
        culprits: list[tuple[Culprit, Parameter | None]] = []
        for name, texts in _gathered(pairs).items():
            parameter = self.by_name.get(name)
            if parameter is None:
                if family not in (Family.OFFICIAL, Family.PAGES):
                    culprits.append((_unknown(name, self.by_name), None))
                continue
            try:
                values[name] = _read(parameter, texts, family)
            except ValueError as error:
                culprits.append((Culprit(str(error), f"query.{name}", ",".join(texts)), parameter))
        if culprits:
            raise _refused(culprits, family)
        return values


def _gathered(pairs: Pairs) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    return given


def _read(parameter: Parameter, texts: Sequence[str], family: Family) -> Any:
    if parameter.many:
        return _read_list(parameter, texts)
    if len(texts) > 1 and family is not Family.OFFICIAL:
        raise ValueError("must be given once")
    text = texts[0]
    if not text:
        raise ValueError("must not be empty")
    if "\0" in text:
        raise ValueError("must not contain control characters")
    return parameter.parse(text)


def _read_list(parameter: Parameter, texts: Sequence[str]) -> tuple[Any, ...]:
    elements = [element.strip() for text in texts for element in text.split(",")]
    if not all(elements):
        raise ValueError("must not have an empty element")
    if len(elements) > parameter.at_most:
        raise ValueError(f"must have at most {parameter.at_most} elements")
    return tuple(dict.fromkeys(parameter.parse(element) for element in elements))


def _refused(culprits: list[tuple[Culprit, Parameter | None]], family: Family) -> ProblemError:
    every = [culprit for culprit, _ in culprits]
    message = "; ".join(
        f"{culprit.location.removeprefix('query.')} {culprit.message}" for culprit in every[:5]
    )
    typed = family is Family.OFFICIAL and any(p is not None and p.typed for _, p in culprits)
    word = Word.INVALID_CURSOR if all(_is_cursor(c) for c in every) else Word.INVALID_REQUEST
    first = every[0]
    return ProblemError(
        word,
        f"{message}.",
        culprits=every,
        field=first.location.removeprefix("query."),
        value=first.value,
        status=422 if typed else 0,
        hint=next((p.hint for _, p in culprits if p is not None), ""),
    )


def _is_cursor(culprit: Culprit) -> bool:
    return culprit.location == "query.cursor"


def _unknown(name: str, table: Mapping[str, Parameter]) -> Culprit:
    close = difflib.get_close_matches(name, table, n=1)
    known = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(table)}"
    if not table:
        known = "; none is known here"
    return Culprit("is not a parameter" + known, f"query.{name}", name)


def _invalid(field: str, message: str, value: str) -> ProblemError:
    return ProblemError(
        Word.INVALID_REQUEST,
        f"{field} {message}.",
        culprits=[Culprit(message, f"query.{field}", value)],
    )


# ---------------------------------------------------------------- kinds of values


def integer(low: int, high: int) -> tuple[Parse, JsonObject]:
    """A whole number within bounds."""

    def parse(text: str) -> int:
        if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()):
            raise ValueError(f"must be a whole number from {low} to {high}")
        number = int(text[:20])
        if not low <= number <= high or len(text) > 20:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return number

    return parse, {"type": "integer", "minimum": low, "maximum": high}


def boolean() -> tuple[Parse, JsonObject]:
    """`true` or `false`."""

    def parse(text: str) -> bool:
        if text not in ("true", "false"):
            raise ValueError("must be true or false")
        return text == "true"

    return parse, {"type": "boolean"}


def one_of(*allowed: str, fold: bool = False) -> tuple[Parse, JsonObject]:
    """One of a closed set, as it is spelled there; `fold` compares without regard to case."""
    spelled = {(each.casefold() if fold else each): each for each in allowed}

    def parse(text: str) -> str:
        found = spelled.get(text.casefold() if fold else text)
        if found is None:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return found

    return parse, {"type": "string", "enum": list(allowed)}


def text(longest: int) -> tuple[Parse, JsonObject]:
    """Any text of bounded length."""

    def parse(value: str) -> str:
        if len(value) > longest:
            raise ValueError(f"must have at most {longest} characters")
        return value

    return parse, {
        "type": "string",
        "minLength": 1,
        "maxLength": longest,
        "pattern": r"^[^\x00]*$",
    }


def moment() -> tuple[Parse, JsonObject]:
    """A point in time, in microseconds since 1970."""

    def parse(value: str) -> int:
        # A plus that was not encoded arrives as a space.
        try:
            found = datetime.fromisoformat(value.upper().replace(" ", "+"))
        except ValueError:
            found = None
        if found is None or found.tzinfo is None or "T" not in value.upper():
            raise ValueError("must be a time as RFC 3339 has it, such as 2026-11-21T08:00:00Z")
        return (found - _EPOCH) // timedelta(microseconds=1)

    return parse, {"type": "string", "format": "date-time"}


def selector(longest: int, requirements: int) -> tuple[Parse, JsonObject]:
    """A label selector as Kubernetes has it."""

    def parse(value: str) -> Selector:
        if len(value) > longest:
            raise ValueError(f"must have at most {longest} characters")
        try:
            found = parse_selector(value)
        except ThvError as error:
            raise ValueError(f"cannot be read: {error.message}") from error
        if len(found.requirements) > requirements:
            raise ValueError(f"must have at most {requirements} requirements")
        return found

    return parse, {"type": "string", "maxLength": longest}
