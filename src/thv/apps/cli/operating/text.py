"""Manifests as text.

In the flow: what `thv operator manifests` prints, and what is kept in the repository as `deploy/install.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from thv.domain.canonical import JsonObject


class _Dumper(yaml.CSafeDumper):
    """Repeats equal parts instead of pointing to them, which not every reader of YAML follows."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 # the library's name
        return True


def documents(objects: Iterable[JsonObject]) -> str:
    """YAML documents with dashes between."""
    text: str = yaml.dump_all(
        objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110
    )
    return text
