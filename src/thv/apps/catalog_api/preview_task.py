"""What the process that reads one source is told, and what it tells.

In the flow: between `preview_apart` and `preview_process`, as JSON.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from thv.apps.kit.outbound import Outbound
from thv.clients.kube.config import Access
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.sync.preview import Limits, Preview


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to read."""

    access: Access
    """The cluster, as the caller."""
    outbound: Outbound
    manifest: JsonObject
    folder: str
    """For what is kept meanwhile."""
    limits: Limits


class Read(msgspec.Struct, frozen=True, tag=True):
    """What the source holds."""

    preview: Preview


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Why the source cannot be read."""

    code: Code
    message: str
    hint: str


Outcome: TypeAlias = Read | Failed
