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
