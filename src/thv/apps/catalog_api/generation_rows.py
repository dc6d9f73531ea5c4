"""The endpoints that generate registries.

In the flow: beside the rows of `endpoints`, made where it is known who writes.
"""

from __future__ import annotations

from thv.apps.catalog_api import generation_words as words
from thv.apps.catalog_api.endpoints import api
from thv.apps.catalog_api.generation import ZIP_TYPE, Generations
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.negotiation import JSON_TYPE, YAML_TYPE, Offer
from thv.domain.permissions import (
    CHANGE_CONTENT,
    CHANGE_REGISTRY,
    MAKE_CONTENT,
    MAKE_REGISTRY,
)

_REQUEST = "GenerationRequest"
_ERRORS = (404, 409, 413, 415, 422)
_JSON_OR_YAML = (Offer(JSON_TYPE), Offer(YAML_TYPE))
_SECONDS = words.LONGEST_WAIT + 15.0


def generation_rows(generations: Generations) -> tuple[Endpoint, ...]:
    """C12 to C14."""
    made = "/registries/{namespace}"
    create = (
        api(
            "C13",
            path,
            generations.create,
            "Generate a registry",
            words.CREATE,
            method="POST",
            takes=_REQUEST,
            answers=("Generated",),
            other_answers=((201, "Generated"),),
            errors=_ERRORS,
            needs=(MAKE_REGISTRY, CHANGE_REGISTRY, MAKE_CONTENT),
            scoped=True,
            forwards=True,
            seconds=_SECONDS,
        )
        for path in (made, f"{made}/generate")
    )
    return (
        api(
            "C12",
            f"{made}/render",
            generations.render,
            "Render the manifests of a registry",
            words.RENDER,
            method="POST",
            takes=_REQUEST,
            offers=(*_JSON_OR_YAML, Offer(ZIP_TYPE)),
            answers=("Rendered",),
            errors=_ERRORS,
        ),
        *create,
        api(
            "C14",
            "/namespaces/{namespace}/registries/{registry}",
            generations.replace,
            "Generate a registry anew",
            words.CREATE,
            method="PUT",
            takes=_REQUEST,
            answers=("Generated",),
            errors=(*_ERRORS, 412, 428),
            needs=(CHANGE_REGISTRY, CHANGE_CONTENT),
            scoped=True,
            forwards=True,
            seconds=_SECONDS,
        ),
    )
