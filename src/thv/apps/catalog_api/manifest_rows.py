"""The endpoints for registries as manifests.

In the flow: beside the rows of generation, made where it is known who writes.
"""

from __future__ import annotations

from thv.apps.catalog_api import generation_words as words
from thv.apps.catalog_api.endpoints import api
from thv.apps.catalog_api.manifests import TYPES, Manifests
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.negotiation import Offer
from thv.domain.permissions import CHANGE_REGISTRY, MAKE_REGISTRY, READ

_REGISTRIES = "/namespaces/{namespace}/registries"
_REGISTRY = f"{_REGISTRIES}/{{registry}}"
_OFFERS = tuple(map(Offer, TYPES))


def manifest_rows(manifests: Manifests) -> tuple[Endpoint, ...]:
    """C23 to C27."""
    return (
        api(
            "C23",
            _REGISTRIES,
            manifests.create,
            "Make a registry of a manifest",
            (words.DRY_RUN, words.WAIT),
            method="POST",
            takes="RegistryManifest",
            answers=("MadeRegistry",),
            other_answers=((201, "MadeRegistry"),),
            errors=(409, 413, 415, 422),
            needs=(MAKE_REGISTRY,),
            scoped=True,
            forwards=True,
            seconds=words.LONGEST_WAIT + 15.0,
        ),
        api(
            "C24",
            f"{_REGISTRY}/suspend",
            manifests.suspend,
            "Synchronize a registry only when it is asked for",
            method="POST",
            takes="Suspension",
            answers=("SwitchedRegistry",),
            errors=(404, 409, 413, 415),
            needs=(CHANGE_REGISTRY,),
            scoped=True,
            forwards=True,
        ),
        api(
            "C25",
            f"{_REGISTRY}/resume",
            manifests.resume,
            "Synchronize a registry by itself again",
            method="POST",
            answers=("SwitchedRegistry",),
            errors=(404, 409),
            needs=(CHANGE_REGISTRY,),
            scoped=True,
            forwards=True,
        ),
        api(
            "C26",
            f"{_REGISTRY}/manifest",
            manifests.read,
            "Read the manifest of a registry",
            offers=_OFFERS,
            answers=("RegistryManifest",),
            errors=(404,),
            needs=(READ,),
            scoped=True,
        ),
        api(
            "C27",
            "/registries/{namespace}/validate",
            manifests.check,
            "Hold the manifest of a registry against schema and rules",
            method="POST",
            takes="RegistryManifest",
            offers=_OFFERS,
            answers=("CheckedManifest",),
            errors=(413, 415),
        ),
    )
