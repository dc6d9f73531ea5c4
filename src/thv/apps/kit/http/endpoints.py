"""One row an endpoint: what it is called, which parameters it has, which function answers.

In the flow: a door lists its rows once; the routes, the checks and the OpenAPI document are made of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from thv.apps.kit.http.message import Answer, Request
from thv.apps.kit.http.negotiation import JSON_TYPE, Offer
from thv.apps.kit.http.parameters import Parameter, Table
from thv.apps.kit.http.problems import Family, ProblemError
from thv.apps.kit.http.routing import Routes
from thv.domain.permissions import READ, Permission


class Call(msgspec.Struct, frozen=True):
    """A request that passed every check that does not need the content."""

    request: Request
    endpoint: Endpoint
    place: Any
    """What the door mounted at the base."""
    base: str
    """`""`, or where the place is mounted: `/r/<namespace>/<registry>`."""
    names: Mapping[str, str]
    """Path parameters, decoded."""
    values: Mapping[str, Any]
    """Query parameters, read, with defaults."""
    offer: Offer
    """The representation that was chosen."""
    owner: tuple[str, str] | None = None
    """Namespace and name of the registry that the place is for, whether or not it exists."""
    refusal: ProblemError | None = None
    """Why the caller may not read the place; only where an endpoint that is public tells more to those who may."""

    @property
    def may_read(self) -> bool:
        """Whether the caller may read the place."""
        return self.refusal is None


Handler: TypeAlias = Callable[[Call], Answer | Awaitable[Answer]]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    id: str
    template: str
    family: Family
    handle: Handler
    summary: str
    method: str = "GET"
    parameters: tuple[Parameter, ...] = ()
    offers: tuple[Offer, ...] = (Offer(JSON_TYPE),)
    answers: tuple[str, ...] = ()
    """The schemas that the 200 body may have in the OpenAPI document."""
    takes: str = ""
    """The schema of its body in the OpenAPI document, `""` where it takes none."""
    errors: tuple[int, ...] = ()
    other_answers: tuple[tuple[int, str], ...] = ()
    """Statuses besides 200 whose body is no error, with its schema."""
    public: bool = False
    """Needs no authorization."""
    tells_more: bool = False
    """Public, and tells more to those who may read the place."""
    needs: tuple[Permission, ...] = (READ,)
    """What a caller must be allowed, unless it is public."""
    known: bool = False
    """Whoever asks must be known, also where strangers are told of what everybody may read."""
    scoped: bool = False
    """Its path names the namespace, and perhaps the registry, in which its needs are asked."""
    forwards: bool = False
    """It acts with the caller's own token, which must be one that a cluster takes."""
    seconds: float = 15.0
    """How long its answer may take."""
    follows: bool = False
    """With `wait`, its answer may come only once something happened."""
    refused: bool = False
    """Its method is known and never supported: 501 for whoever asks."""
    secret: bool = False
    """Its path holds what nobody else may learn, so that no log shows it."""


class Target(msgspec.Struct, frozen=True):
    """Everything that one path can do."""

    template: str
    family: Family
    methods: Mapping[str, Endpoint]
    tables: Mapping[str, Table]
    allow: bytes
    secret: bool


def routes_of(endpoints: Iterable[Endpoint]) -> Routes[Target]:
    """The routes of a list of rows."""
    by_template: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        by_template.setdefault(endpoint.template, {})[endpoint.method] = endpoint
    return Routes(
        (template, _target(template, methods)) for template, methods in by_template.items()
    )


def _target(template: str, methods: dict[str, Endpoint]) -> Target:
    supported = [method for method, endpoint in methods.items() if not endpoint.refused]
    if "GET" in supported:
        supported.insert(1, "HEAD")
    family = next(iter(methods.values())).family
    tables = {method: Table(endpoint.parameters) for method, endpoint in methods.items()}
    return Target(
        template,
        family,
        methods,
        tables,
        allow=", ".join([*supported, "OPTIONS"]).encode(),
        secret=any(endpoint.secret for endpoint in methods.values()),
    )
