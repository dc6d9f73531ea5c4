"""Which registry answers where several hold a server: trust, then the administrator's order, then the name.

In the flow: whoever tells of several registries together asks here; nothing that a tenant can write decides but the
name itself.
"""

from __future__ import annotations

from thv.apps.registry_api.served import Served
from thv.domain.pending import is_generated
from thv.domain.registry import BEST_FIRST


class Standing:
    """The order of registries."""

    def __init__(self, order: tuple[str, ...] = ()) -> None:
        """`order` names registries as `namespace/name`, the best first."""
        self._order = {name: place for place, name in enumerate(order)}

    def of(self, served: Served) -> tuple[int, int, str]:
        """Sorts the best first."""
        name = "/".join(served.owner)
        trust = BEST_FIRST.index(served.registry.spec.trust_level)
        return (trust, self._order.get(name, self._last(served)), name)

    def _last(self, served: Served) -> int:
        """What was generated from others stands behind them: it has what they have, changed for somebody."""
        return len(self._order) + is_generated(served.registry)

    def text(self, served: Served) -> str:
        """The same as text."""
        trust, place, name = self.of(served)
        return f"{trust}{place:06}{name}"
