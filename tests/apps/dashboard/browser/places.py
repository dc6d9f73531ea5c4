"""Every page, and the states of it that are looked at.

`test_places` holds the list against the rows of the dashboard: whoever adds a page adds it here, and it is judged.
"""

from __future__ import annotations

from typing import NamedTuple

BROKEN = "warehouse"
"""A registry whose source answers nobody."""

BY_HAND = "issues"
"""A server that somebody started without a registry."""


class Place(NamedTuple):
    """An address, and what is asked of it."""

    name: str
    """Of its pictures."""
    template: str
    """Of its row; `""` where none answers."""
    path: str
    status: int = 200
    selected: tuple[str, ...] = ()
    """Servers that were put aside before: `namespace/registry/name`."""


SEVERAL = "io.github.ChromeDevTools%2Fchrome-devtools-mcp"
"""A server with more than one version."""
ONE = "/servers/{namespace}/{registry}/{name}"
PLACES = (
    Place("overview", "/", "/"),
    Place("servers", "/servers", "/servers"),
    Place("servers-found", "/servers", "/servers?search=postgres&tier=Community"),
    Place("servers-none", "/servers", "/servers?search=qqqq&tier=Official"),
    Place("server-filter", "/servers/filter", "/servers/filter?search=postgres&tier=Community"),
    Place("server-filter-none", "/servers/filter", "/servers/filter"),
    Place("server", ONE, "/servers/default/essentials/github"),
    Place("server-remote", ONE, "/servers/default/essentials/linear"),
    Place("server-of-versions", ONE, f"/servers/default/community/{SEVERAL}"),
    Place("server-nowhere", ONE, "/servers/default/essentials/nothing", 404),
    Place("server-by-name", "/server/{name}", "/server/nothing", 404),
    Place("compare", f"{ONE}/compare", f"/servers/default/community/{SEVERAL}/compare"),
    Place("install", f"{ONE}/install", "/servers/default/essentials/github/install"),
    Place("install-wrong", f"{ONE}/install", "/servers/default/essentials/github/install?namespace=No%20", 400),
    Place("tools", "/tools", "/tools"),
    Place("tools-none", "/tools", "/tools?search=qqqq"),
    Place("tool", "/tools/{tool}", "/tools/create_issue"),
    Place("categories", "/categories", "/categories"),
    Place("registries", "/registries", "/registries"),
    Place("registries-none", "/registries", "/registries?search=qqqq"),
    Place("registry-new", "/registries/new", "/registries/new"),
    Place("registry", "/registries/{namespace}/{registry}", "/registries/default/community"),
    Place("registry-broken", "/registries/{namespace}/{registry}", f"/registries/default/{BROKEN}"),
    Place("left-out-unknown", "/registries/{namespace}/{registry}/left-out", "/registries/default/databases/left-out"),
    Place("registry-nowhere", "/registries/{namespace}/{registry}", "/registries/default/none", 404),
    Place("deployments", "/deployments", "/deployments"),
    Place("api-docs", "/api/docs", "/api/docs"),
    Place("deployments-of-none", "/deployments", "/deployments?origin=none"),
    Place("adopt", "/deployments/adopt", f"/deployments/adopt?namespace=default&name={BY_HAND}"),
    Place("access", "/settings/access", "/settings/access"),
    Place("generate-nothing", "/generate", "/generate"),
    Place(
        "generate", "/generate", "/generate", selected=("default/essentials/github", "default/essentials/linear")
    ),
    Place("offline-nowhere", "/docs/offline/docs/{folder}/README.md", "/docs/offline/docs/nothing/README.md", 404),
    Place("signin", "/signin", "/signin?ended=true&next=%2Fservers"),
    Place("signin-once", "/signin/once/{code}", "/signin/once/used-before", 404),
    Place("nowhere", "", "/nowhere", 404),
)  # fmt: skip
