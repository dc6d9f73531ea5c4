"""Amounts of compute as Kubernetes writes them: `50m`, `128Mi`, `1e3`; pure."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

QUANTITY_PATTERN = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$"
"""An exponent has two digits at most: Kubernetes works for minutes to compare `1e99999999` with anything."""
_UNITS = {
    **{
        unit: Decimal(1024) ** power
        for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)
    },
    **{
        unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)
    },
    **{unit: Decimal(1000) ** -power for power, unit in enumerate(("m", "u", "n"), 1)},
}


def amount(quantity: str | int) -> Decimal:
    """The number; raises ValueError for anything else than an amount."""
    text = str(quantity)
    for unit, factor in _UNITS.items():
        if text.endswith(unit):
            return _number(text.removesuffix(unit)) * factor
    return _number(text)


def same_amount(one: object, other: object) -> bool:
    """Whether both are the same amount, however written; False when one of them is none."""
    try:
        return amount(str(one)) == amount(str(other))
    except ValueError:
        return False


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f'"{text}" is no amount') from error
