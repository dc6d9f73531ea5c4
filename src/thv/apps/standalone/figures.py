"""What the one process tells of itself, of its registries and of its requests.

In the flow: made by the service; its loop and its door tell it, the operations port is asked for it.
"""

from __future__ import annotations

import msgspec

from thv.apps.cli.wiring import Local
from thv.apps.kit.metrics import Metrics
from thv.apps.kit.metrics_http import HttpFigures
from thv.apps.kit.metrics_process import process_figures
from thv.apps.kit.metrics_registries import RegistryFigures
from thv.apps.kit.metrics_updates import UpdateFigures


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Those of each part."""

    registries: RegistryFigures
    requests: HttpFigures
    updates: UpdateFigures

    @classmethod
    def of(cls, local: Local) -> Figures:
        """Nothing happened yet."""
        return cls(
            registries=RegistryFigures(local.clock),
            requests=HttpFigures("standalone"),
            updates=UpdateFigures(local.clock),
        )

    @property
    def metrics(self) -> Metrics:
        """All of them."""
        return Metrics(
            process_figures(),
            self.registries.metrics,
            self.requests.metrics,
            self.updates.metrics,
        )
