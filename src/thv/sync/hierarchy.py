"""Registries that read other registries of their namespace: by reference, or by the address of their Service.

In the flow: asked when a source is opened, and when a snapshot changed, to find who depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry

_SERVICE = re.compile(
    r"https?://(?P<name>[a-z0-9-]+)-api(?:\.(?P<namespace>[a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?)?(?::\d+)?(?:[/?#]|$)"
)

_LONGEST_ROW = 32
"""Registries that read one another, one after the other."""


def neighbour_of(registry: Registry) -> str:
    """The registry of the same namespace that this one names as its source, `""` when it names none.

    An address may name a Service of that form without such a registry being there; the caller looks.
    """
    source = registry.spec.source.registry
    if source is None:
        return ""
    if source.registry_ref is not None:
        return source.registry_ref.name
    match = _SERVICE.match(source.url)
    if match is None or match["namespace"] not in (None, registry.namespace):
        return ""
    return match["name"]


def is_reference(registry: Registry) -> bool:
    """Whether the neighbour is meant for sure, and not only an address that looks like one."""
    source = registry.spec.source.registry
    return source is not None and source.registry_ref is not None


async def require_no_cycle(
    registry: Registry, find: Callable[[str], Awaitable[Registry | None]]
) -> None:
    """Raises REGISTRY_CYCLE when the registry reads itself, directly or through others.

    Each registry of the namespace is found by its name alone: how many others there are, and how large, is nobody's
    concern. A row that is longer than any that makes sense is not followed to its end.
    """
    trail, name = [registry.name], neighbour_of(registry)
    while name and len(trail) <= _LONGEST_ROW:
        trail.append(name)
        if name == registry.name:
            raise ThvError(
                Code.REGISTRY_CYCLE,
                f"the registry reads itself: {' -> '.join(trail)}",
                hint="Let one of them read another source.",
            )
        if trail.count(name) > 1:
            return  # a circle of others, which they report themselves
        step = await find(name)
        name = neighbour_of(step) if step is not None else ""
