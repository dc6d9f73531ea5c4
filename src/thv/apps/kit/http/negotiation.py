"""Which representation a client gets.

In the flow: after authorization, before the query is read. The highest quality wins, among equal ones the more
specific range, among those the order of the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

ANYTHING = "*/*"
JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
YAML_TYPE = "application/yaml"


class Range(msgspec.Struct, frozen=True):
    """One element of an Accept header."""

    type: str
    quality: float
    format: str | None
    """The parameter `format`, which is ours; None when absent."""

    @property
    def specificity(self) -> int:
        """How much the range says."""
        if self.type == ANYTHING:
            return 0
        return 1 if self.type.endswith("/*") else 2 if self.format is None else 3


class Offer(msgspec.Struct, frozen=True):
    """A representation that an endpoint has; `format` is `""` where there is one only."""

    type: str
    format: str = ""


def choose(accept: str, offers: Sequence[Offer]) -> Offer | None:
    """The offer that the header likes best, None when it likes none."""
    if not accept:
        return offers[0]
    ranges = parse_accept(accept)
    best: tuple[float, int] = (0.0, -1)
    chosen: Offer | None = None
    for offer in offers:
        quality, specificity = _liked(offer, ranges)
        if quality > 0 and (quality, specificity) > best:
            best, chosen = (quality, specificity), offer
    return chosen


def wants_problem(accept: str) -> bool:
    """Whether errors should come as problem+json."""
    return bool(accept) and any(
        each.type == PROBLEM_TYPE and each.quality > 0 for each in parse_accept(accept)
    )


@lru_cache(maxsize=256)
def parse_accept(accept: str) -> tuple[Range, ...]:
    """The ranges of a header; what cannot be read is passed over."""
    return tuple(_range(element) for element in accept.split(",") if element.strip())


def _range(element: str) -> Range:
    kind, *parameters = (part.strip() for part in element.split(";"))
    quality, form = 1.0, None
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            quality = _quality(value)
        elif key.strip().lower() == "format":
            form = value.strip().strip('"')
    return Range(kind.lower(), quality, form)


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _liked(offer: Offer, ranges: Sequence[Range]) -> tuple[float, int]:
    """The quality of the most specific range that fits, and how specific it is."""
    fitting = [each for each in ranges if _fits(each, offer)]
    if not fitting:
        return 0.0, -1
    most = max(fitting, key=lambda each: (each.specificity, each.quality))
    return most.quality, most.specificity


def _fits(each: Range, offer: Offer) -> bool:
    if each.type == ANYTHING:
        return True
    main = offer.type.partition("/")[0]
    if each.type == f"{main}/*":
        return True
    return each.type == offer.type and each.format in (None, offer.format)
