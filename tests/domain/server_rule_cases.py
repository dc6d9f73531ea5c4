"""Cases for the rules of MCPServer and MCPToolConfig; Python and CEL must agree on each."""

from __future__ import annotations

from typing import Any

import msgspec

from thv.domain.canonical import JsonObject

_IMAGE = "ghcr.io/corp/server:1.0"
_PROFILE = {"type": "builtin", "name": "network"}


class ServerCase(msgspec.Struct, frozen=True):
    """An object and the verdict of one rule on it."""

    rule: str
    passes: bool
    kind: str
    spec: dict[str, Any]

    @property
    def title(self) -> str:
        return f"{self.rule} {'passes' if self.passes else 'fails'} {self.spec}"[:120]

    def object(self) -> JsonObject:
        return {
            "apiVersion": "toolhive.stacklok.io/v1alpha1",
            "kind": self.kind,
            "metadata": {"name": "case", "namespace": "default"},
            "spec": self.spec,
        }


def _server(rule: str, passes: bool, **spec: Any) -> ServerCase:
    return ServerCase(rule, passes, "MCPServer", {"image": _IMAGE, **spec})


def _tools(rule: str, passes: bool, **spec: Any) -> ServerCase:
    return ServerCase(rule, passes, "MCPToolConfig", spec)


_REFUSED: dict[str, Any] = {
    "volumes": [{"name": "data", "hostPath": "/etc", "mountPath": "/data"}],
    "tools": ["read"],
    "podTemplateSpec": {"spec": {"hostNetwork": True}},
    "oidcConfig": {"type": "kubernetes"},
    "oidcConfigRef": {"name": "x"},
    "authzConfig": {"type": "inline"},
    "authzConfigRef": {"name": "x"},
    "audit": {"enabled": True},
    "externalAuthConfigRef": {"name": "x"},
    "authServerRef": {"name": "x"},
    "webhookConfigRef": {"name": "x"},
    "rateLimiting": {"shared": {}},
}

SERVER_CASES: tuple[ServerCase, ...] = (
    _server("M1", True, port=8080),
    _server("M1", True, proxyPort=8080),
    _server("M1", False, port=8080, proxyPort=8080),
    _server("M2", True, targetPort=8000),
    _server("M2", True, mcpPort=8000),
    _server("M2", False, targetPort=8000, mcpPort=8001),
    _server("M3", True, permissionProfile=_PROFILE),
    _server("M3", True, permissionProfile={"name": "none"}),
    _server("M3", True, permissionProfile={"type": "configmap", "name": "mine"}),
    _server("M3", False, permissionProfile={"name": "mine"}),
    _server("M4", True, toolConfigRef={"name": "tools"}),
    *(_server("M4", False, **{field: value}) for field, value in _REFUSED.items()),
    _server("M5", True, resources={"requests": {"cpu": "2"}, "limits": {"memory": "1Gi"}}),
    _server("M5", True, resources={"requests": {"cpu": 1}, "limits": {"cpu": "1000m"}}),
    _server("M5", False, resources={"requests": {"cpu": "2"}, "limits": {"cpu": "500m"}}),
    _server("M5", False, resources={"requests": {"memory": "1Gi"}, "limits": {"memory": "1G"}}),
    _tools("T1", True, toolsOverride={"a": {"name": "b"}}),
    _tools("T1", True, toolsOverride={"a": {"annotations": {"readOnlyHint": True}}}),
    _tools("T1", False, toolsOverride={"a": {"name": "b"}, "c": {}}),
    _tools("T2", True, toolsOverride={"a" * 128: {"description": "x"}}),
    _tools("T2", False, toolsOverride={"a" * 129: {"description": "x"}}),
)
