"""Whether an object is as it should be, whatever a cluster adds to it; pure.

The API server fills in defaults and writes amounts its own way, controllers add annotations, admission adds
variables. Only what is desired is compared: a field more does not matter, a field less or another value does. Lists
that the API server merges by a key are compared by that key, all others item by item.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thv.domain.quantities import same_amount

_AMOUNTS = frozenset({"cpu", "memory", "sizeLimit"})
_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "ownerReferences": ("uid",),
    "ports": ("containerPort", "targetPort"),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""Lists that are merged, and the field that tells their items apart: the first that all desired items have."""


def covers(desired: Any, live: Any, field: str = "") -> bool:
    """Whether every desired field has the desired value; `field` is the name of the field that holds both."""
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(
            covers(value, live.get(key), key) for key, value in desired.items()
        )
    if isinstance(desired, list):
        return _covers_list(desired, live if isinstance(live, list) else [], field)
    if field in _AMOUNTS and live is not None:
        return same_amount(desired, live)
    return type(desired) is type(live) and bool(desired == live)


def _covers_list(desired: list[Any], live: list[Any], field: str) -> bool:
    key = _key(desired, field)
    if key is None:
        return len(desired) == len(live) and all(
            covers(wanted, there) for wanted, there in zip(desired, live, strict=True)
        )
    by_key = {item.get(key): item for item in live if isinstance(item, dict)}
    return all(covers(item, by_key.get(item[key])) for item in desired)


def _key(desired: list[Any], field: str) -> str | None:
    for key in _KEYS.get(field, ()):
        if desired and all(isinstance(item, dict) and key in item for item in desired):
            return key
    return None
