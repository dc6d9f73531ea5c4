"""Parameters of generation and export, once each.

In the flow: named by the rows of endpoints.
"""

from __future__ import annotations

import re

from thv.apps.kit.http.parameters import Parse, boolean, integer, one_of, text
from thv.apps.registry_api.words import list_row, row
from thv.catalog.generate.request import REGISTRY_NAME_LIMIT
from thv.domain.canonical import JsonObject

LONGEST_WAIT = 60
_HOST = re.compile(
    r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*",
    re.ASCII,
)


def _host() -> tuple[Parse, JsonObject]:
    def parse(value: str) -> str:
        if len(value) > 255 or not _HOST.fullmatch(value):
            raise ValueError(
                "must be a host, with a port and a path if needed: mirror.corp:5000/mcp"
            )
        return value

    return parse, {"type": "string", "maxLength": 255}


IMAGE_REGISTRY = row(
    "image_registry",
    _host(),
    "Host, with port and path if needed, that keeps the images in place of their own registries.",
)
INCLUDE = list_row(
    "include",
    one_of("manifests", "images"),
    "Parts of the answer; none given means all.",
)
DRY_RUN = row("dry_run", boolean(), "Check everything, and write nothing.", default=False)
WAIT = row(
    "wait",
    integer(0, LONGEST_WAIT),
    "Seconds to wait until the registry is ready.",
    default=0,
)

RENDER = (IMAGE_REGISTRY, INCLUDE)
CREATE = (IMAGE_REGISTRY, DRY_RUN, WAIT)
EXPORT = (
    row("namespace", text(63), "Namespace of the registry that is to be.", default="default"),
    row(
        "registry_name",
        text(REGISTRY_NAME_LIMIT),
        "Name of the registry that is to be; of the server when it is left out.",
    ),
    row(
        "display_name",
        text(100),
        "Title of the registry that is to be; that of the server when it is left out.",
    ),
    row("registry", text(127), "The registry to take the server from, as namespace/name."),
    row("version", text(255), "The version to take, the latest when it is left out."),
    IMAGE_REGISTRY,
    row(
        "enforce_servers",
        boolean(),
        "Allow only servers of the registry in its namespace.",
        default=True,
    ),
    row(
        "enforce_tools", boolean(), "Allow only its tools; true when the server says which it has."
    ),
    row("auto_sync", boolean(), "Synchronize whenever its ConfigMap changes.", default=False),
    list_row(
        "tools_filter", text(128), "Tools to choose; all of them when it is left out.", at_most=500
    ),
)
