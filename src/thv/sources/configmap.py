"""Kind `configmap`: a document under one key of a ConfigMap of the registry's namespace.

In the flow: read whole, since a ConfigMap is small; unchanged when its resource version is, or when the bytes are.
"""

from __future__ import annotations

import hashlib

from thv.domain.errors import Code, ThvError
from thv.domain.registry import ConfigMapSource as Spec
from thv.sources.base import (
    Document,
    Fetched,
    Known,
    Part,
    ReadConfigMapData,
    Unchanged,
)
from thv.sources.bounded import is_packed, plain, single, whole
from thv.sources.folder import MOST_BYTES, nearest, quoted


class ConfigMapSource:
    """Reads one key."""

    def __init__(
        self,
        spec: Spec,
        read: ReadConfigMapData,
        *,
        namespace: str,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """`read` reads ConfigMaps of `namespace` alone; `most_bytes` holds for unpacked content."""
        self._spec = spec
        self._read = read
        self._most = most_bytes
        self._place = f'the key "{spec.key}" of the ConfigMap "{spec.name}"'
        self.origin = f"configmap:{namespace}/{spec.name}/{spec.key}"

    async def fetch(self, known: Known) -> Fetched:
        """The content, unless the last look saw the same."""
        data = await self._read(self._spec.name)
        content = data.values.get(self._spec.key)
        if content is None:
            raise self._key_missing(sorted(data.values))
        digest = hashlib.sha256(content).hexdigest()
        now = Known(origin=self.origin, revision=data.resource_version, etag=digest)
        if known.origin == self.origin and digest == known.etag:
            return Unchanged(now)
        chunks = plain(whole(content), self._spec.key, place=self._place, most=self._most)
        size = None if is_packed(self._spec.key) else len(content)
        return Document(now, single(Part(self._spec.key, chunks, size)))

    def _key_missing(self, keys: list[str]) -> ThvError:
        names = nearest(self._spec.key, keys, most=10)
        return ThvError(
            Code.PATH_NOT_FOUND,
            f'the ConfigMap "{self._spec.name}" has no key "{self._spec.key}"; its keys: {quoted(names)}',
            hint="set spec.source.configMap.key to one of its keys",
            details={"existing": list(names)},
        )
