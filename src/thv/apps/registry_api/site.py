"""What lies where: one registry at the root, or many under `/r/<namespace>/<registry>`.

In the flow: the dispatcher asks `locate` which mount a raw path belongs to. An unknown registry is mounted too,
so that authorization is asked before anybody says whether it exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from thv.apps.kit.http.dispatch import Mount
from thv.apps.kit.http.endpoints import Target
from thv.apps.kit.http.routing import Routes
from thv.apps.registry_api.served import Served

_LABEL = re.compile(rb"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class SingleSite:
    """One registry at the root."""

    def __init__(
        self,
        find: Callable[[str, str], Served | None],
        owner: tuple[str, str],
        routes: Routes[Target],
    ) -> None:
        """`owner` is the namespace and name of the registry, which may be made anew while we run."""
        self._find = find
        self._owner = owner
        self._routes = routes
        self._mount = self._mounted(None)

    def locate(self, path: bytes) -> tuple[Mount, bytes]:
        """Everything is the registry's."""
        served = self._find(*self._owner)
        if served is not self._mount.place:
            self._mount = self._mounted(served)
        return self._mount, path

    def _mounted(self, served: Served | None) -> Mount:
        return Mount(
            base="",
            routes=self._routes,
            place=served,
            owner=self._owner,
            hint=lambda: "This registry answers at /api/v1/servers and /v0.1/servers.",
        )


class ManySite:
    """Registries by namespace and name, and what stands at the root beside them."""

    def __init__(
        self,
        find: Callable[[str, str], Served | None],
        routes: Routes[Target],
        root: Mount,
    ) -> None:
        """`find` gives a registry, `root` answers everything that is below no base."""
        self._find = find
        self._routes = routes
        self._root = root

    def locate(self, path: bytes) -> tuple[Mount, bytes]:
        """The registry of a base, else the root."""
        parts = path.split(b"/", 4)
        if parts[1:2] == [b"r"] and len(parts) > 3:
            namespace, name = parts[2], parts[3]
            if _LABEL.fullmatch(namespace) and _LABEL.fullmatch(name):
                below = b"/" + parts[4] if len(parts) > 4 else b""
                return self._registry(namespace.decode(), name.decode()), below
        return self._root, path

    def _registry(self, namespace: str, name: str) -> Mount:
        base = f"/r/{namespace}/{name}"
        return Mount(
            base=base,
            routes=self._routes,
            place=self._find(namespace, name),
            owner=(namespace, name),
            hint=lambda: f"This registry answers at {base}/api/v1/servers and {base}/v0.1/servers.",
        )
