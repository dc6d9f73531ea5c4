"""The sample registries: one for each kind of source, a filtered and a layered one on top.

In the flow: `thv dev` applies them as anybody would, and the loop synchronizes them.
"""

from __future__ import annotations

from typing import Any

from thv.apps.standalone.content import SampleContent
from thv.domain.canonical import JsonObject
from thv.domain.resources import MCP_REGISTRY

MANAGER = "thv-dev"
_OFTEN = {"interval": "1m"}


def sample_registries(content: SampleContent) -> list[JsonObject]:
    """The manifests over this content; without git the registry from git is left out."""
    community = {"type": "url", "url": {"url": content.community}}
    manifests = [
        _registry(
            "essentials",
            "Essentials, from a file",
            source={"type": "file", "file": {"path": str(content.toolhive.resolve())}},
            trustLevel="trusted",
        ),
        _registry("community", "Community, from a URL", source=community),
        _registry(
            "databases",
            "Databases only, filtered from the community",
            source=community,
            filter={"include": {"categories": ["database"]}},
        ),
        _registry(
            "developers",
            "For developers, layered over the community",
            source={"type": "registry", "registry": {"registryRef": {"name": "community"}}},
            filter={"include": {"transports": ["stdio"]}, "exclude": {"names": ["com.example.*"]}},
            trustLevel="tested",
        ),
    ]
    if content.platform:
        git = {"repository": content.platform, "branch": "main", "path": "registry"}
        manifests.append(
            _registry(
                "platform",
                "Platform team, from Git",
                source={"type": "git", "git": git},
                trustLevel="tested",
            )
        )
    return manifests


def _registry(name: str, title: str, *, source: JsonObject, **spec: Any) -> JsonObject:
    return {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "displayName": title,
            "source": source,
            "syncPolicy": _OFTEN,
            **spec,
        },
    }
