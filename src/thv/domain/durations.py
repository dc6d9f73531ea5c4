"""Durations as specs write them: `1h`, `1.5h`, `1h30m`, `500ms`.

In the flow: schema and rules check the text, reconcilers count in seconds.
"""

from __future__ import annotations

from decimal import Decimal

from thv.domain.errors import Code, ThvError
from thv.domain.patterns import re2

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"

_WHOLE = re2(DURATION_PATTERN)
_PART = re2(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


def parse_duration(text: str) -> float:
    """Seconds; raises INVALID for anything but numbers with units ms, s, m, h."""
    if not _WHOLE.search(text):
        raise ThvError(
            Code.INVALID,
            f'"{text}" is no duration',
            hint='Write numbers with the units h, m, s or ms, such as "1h30m" or "500ms".',
        )
    return float(sum(Decimal(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))


def format_duration(seconds: float) -> str:
    """The shortest text with whole numbers, to the millisecond: 5400 is `1h30m`, 0 is `0s`."""
    milliseconds = round(seconds * 1000)
    parts: list[str] = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
