"""Which programs of others are tested with, in which version.

ToolHive 0.47.0 is the newest that Go 1.26 builds.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.go_programs import GoProgram, MissingError

TOOLHIVE = GoProgram(
    name="thv",
    module="github.com/stacklok/toolhive",
    version="0.47.0",
    package="cmd/thv",
    product="toolhive",
)
_REGISTRY = "github.com/modelcontextprotocol/registry"
OFFICIAL = GoProgram(
    name="registry",
    module=_REGISTRY,
    version="1.8.7",
    package="cmd/registry",
    product="official-registry",
    files=("docs/reference/api/openapi.yaml", "data/seed.json"),
)
READBENCH = GoProgram(
    name="readbench",
    module=_REGISTRY,
    version="1.8.7",
    package="tools/readbench",
    product="official-registry",
)


def is_wanted(program: GoProgram, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the time that it takes to build it is worth it: of ToolHive five minutes, so THV_PEERS=1 says so."""
    return program != TOOLHIVE or environ.get("THV_PEERS", "") not in ("", "0")


def document(name: str) -> Path:
    """A file that was kept beside the official registry."""
    return OFFICIAL.place().with_name(name)


def postgres_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The newest PostgreSQL server that is installed. Raises MissingError when there is none."""
    found = shutil.which("postgres", path=environ.get("PATH"))
    if found:
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_major)
    if not debian:
        raise MissingError("no PostgreSQL: apt-get install postgresql")
    return debian[-1].parent


def _major(program: Path) -> int:
    """15 for /usr/lib/postgresql/15/bin/postgres."""
    return int(program.parents[1].name)
