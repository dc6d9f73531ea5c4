"""How installed servers stand to the registries that they name.

In the flow: between the fleet and whoever tells of it. What a registry offers is looked up once for each content of it,
however many servers are installed from it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from thv.apps.registry_api.served import Served
from thv.catalog.installed import Drift, Installed, Offer, drift_of, is_called
from thv.stores.models import lookup
from thv.stores.models.cache import Cache
from thv.stores.models.query import LATEST
from thv.stores.models.view import View

DriftWord: TypeAlias = Literal["none", "image", "outdated", "revoked", "unknown-entry"]

_WORDS: dict[Drift, DriftWord] = {
    Drift.UNKNOWN: "unknown-entry",
    Drift.NONE: "none",
    Drift.OUTDATED: "outdated",
    Drift.CHANGED: "image",
    Drift.GONE: "unknown-entry",
}
RESULT_BYTES = 8 << 20
"""Memory for what registries offer; what servers say that they are decides how much there is to remember."""
_OVERHEAD = 500


class Compared(msgspec.Struct, frozen=True):
    """An installed server beside its registry."""

    server: str
    """The key of the entry, or what the server says."""
    drift: DriftWord
    counts: bool
    """Whether it is a deployment of the registry: a label is a claim, the image is the proof."""


class _Offered(msgspec.Struct, frozen=True):
    """What a registry has under a name, in the version that was installed and in the latest."""

    key: str = ""
    same: Offer | None = None
    latest: Offer | None = None


class Comparing:
    """Remembers what registries offer."""

    def __init__(self) -> None:
        self._offered = Cache(RESULT_BYTES)

    def compared(self, served: Served | None, installed: Installed, content: str = "") -> Compared:
        """How a server stands to its registry, None: there is none that may be told of.

        A registry is not opened for what is remembered of this `content`.
        """
        offered = _Offered() if served is None else self._offer(served, installed, content)
        if not is_called(installed, offered.key):
            return Compared(installed.server, "unknown-entry", counts=False)
        drift = drift_of(installed, offered.same, offered.latest)
        is_proved = drift is Drift.NONE or (drift is Drift.OUTDATED and offered.same is not None)
        return Compared(offered.key, _WORDS[drift], counts=is_proved)

    def _offer(self, served: Served, installed: Installed, content: str) -> _Offered:
        claim = (*served.owner, installed.server, installed.version)
        known: _Offered | None = self._offered.get((content, claim))
        if known is not None:
            return known
        model = served.model
        if model is None:
            return _Offered()
        view = model.view()
        key = (view.generation.content, claim)
        known = self._offered.get(key)
        if known is None:
            known = _looked_up(view, installed.server, installed.version)
            self._offered.put(key, known, _OVERHEAD + sum(map(len, claim)))
        return known


def _looked_up(view: View, server: str, version: str) -> _Offered:
    found = lookup.labelled(view, server)
    if found is None:
        return _Offered()
    return _Offered(
        found.key,
        same=_offer_of(view, found.name, version) if version else None,
        latest=_offer_of(view, found.name, LATEST),
    )


def _offer_of(view: View, name: str, version: str) -> Offer | None:
    found = lookup.runs(view, name, version)
    return Offer(*found) if found else None
