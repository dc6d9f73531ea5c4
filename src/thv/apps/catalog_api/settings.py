"""Settings of the catalog: the only reader of its part of the environment.

In the flow: read once when the process starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from thv.apps.kit import variables
from thv.domain.errors import Code, ThvError


class Class(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told of a class of servers."""

    display_name: str
    description: str
    enforcement_recommended: bool
    verification_criteria: tuple[str, ...]


VALIDATED = Class(
    display_name="Validated MCP Servers",
    description="Production-ready servers that have been thoroughly tested and validated",
    enforcement_recommended=True,
    verification_criteria=(
        "Security audit completed",
        "Performance benchmarks passed",
        "Documentation complete",
        "Enterprise support available",
    ),
)
COMMUNITY = Class(
    display_name="Community MCP Servers",
    description="Community-contributed servers with varying levels of maturity",
    enforcement_recommended=False,
    verification_criteria=(
        "Basic functionality verified",
        "Source code available",
        "Community maintained",
    ),
)


class Classes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The two classes: what a trusted registry serves, and everything else."""

    validated: Class = VALIDATED
    community: Class = COMMUNITY


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalog may need to know."""

    anonymous_read: bool = True
    """Tell callers without a token of the registries that everybody may read; false on a cluster. THV_CATALOG_ANONYMOUS_READ."""
    read_only: bool = False
    """Take no requests for syncs; of `thv serve` alone. --read-only."""
    classes: Classes = Classes()
    """JSON file with what is told of the classes of servers, validated and community. THV_CATALOG_CLASSES."""


def read_settings(environ: Mapping[str, str], *, anonymous_read: bool) -> Settings:
    """The settings of an environment, with a default; raises INVALID for a value that none may have."""
    return Settings(
        anonymous_read=variables.flag(
            environ, "THV_CATALOG_ANONYMOUS_READ", default=anonymous_read
        ),
        classes=_classes(environ.get("THV_CATALOG_CLASSES", "")),
    )


def _classes(path: str) -> Classes:
    if not path:
        return Classes()
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Classes)
    except OSError as error:
        raise ThvError(
            Code.INVALID,
            f"THV_CATALOG_CLASSES: cannot read {path}: {error.strerror}",
            hint="Name a JSON file, or leave it out.",
        ) from error
    except msgspec.MsgspecError as error:
        raise ThvError(
            Code.INVALID,
            f"THV_CATALOG_CLASSES: {path}: {error}",
            hint="It has validated and community, each with display_name, description, "
            "enforcement_recommended and verification_criteria.",
        ) from error
