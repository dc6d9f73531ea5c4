"""Registries that read other registries of their namespace: by reference, or by the address of their Service.

In the flow: asked when a source is opened, and when a snapshot changed, to find who depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry

_SERVICE = re.compile(
    r"https?://(?P<name>[a-z0-9-]+)-api(?:\.(?P<namespace>[a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?)?(?::\d+)?(?:[/?#]|$)"
)


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


def dependents(registries: Iterable[Registry], name: str, namespace: str) -> list[tuple[str, str]]:
    """Namespace and name of the registries that read this one."""
    return [
        (registry.namespace, registry.name)
        for registry in registries
        if registry.namespace == namespace and neighbour_of(registry) == name
    ]


def require_no_cycle(registry: Registry, find: Callable[[str], Registry | None]) -> None:
    """Raises REGISTRY_CYCLE when the registry reads itself, directly or through others."""
    trail = [registry.name]
    step = find(neighbour_of(registry))
    while step is not None:
        trail.append(step.name)
        if step.name == registry.name:
            raise ThvError(
                Code.REGISTRY_CYCLE,
                f"the registry reads itself: {' -> '.join(trail)}",
                hint="Let one of them read another source.",
            )
        if trail.count(step.name) > 1:
            return  # a circle of others, which they report themselves
        step = find(neighbour_of(step))


def by_name(registries: Iterable[Registry], namespace: str) -> Mapping[str, Registry]:
    """The registries of one namespace."""
    return {registry.name: registry for registry in registries if registry.namespace == namespace}
