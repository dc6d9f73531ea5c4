"""Programs of others; without them tests are skipped, and say how to get them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.go_programs import GoProgram, MissingError
from tests.peers.docker import DockerStub
from tests.peers.official import Official
from tests.peers.postgres import Postgres
from tests.peers.programs import OFFICIAL, TOOLHIVE, document, is_wanted, postgres_folder
from tests.peers.toolhive import ToolHive


def _built(program: GoProgram) -> Path:
    """What was built before: a test does not take minutes for it."""
    found = program.find()
    if found is None:
        peers = "" if is_wanted(program, {}) else "THV_PEERS=1 "
        pytest.skip(f"no {program.product}: install Go and run `{peers}make tools`")
    return found


@pytest.fixture
def toolhive(tmp_path: Path) -> Iterator[ToolHive]:
    """A user of ToolHive."""
    program = _built(TOOLHIVE)
    with DockerStub(tmp_path) as docker:
        yield ToolHive(program, tmp_path, docker)


@pytest.fixture(scope="package")
def postgres() -> Iterator[Postgres]:
    """A database server for the tests of this folder."""
    try:
        postgres_folder()
    except MissingError as error:
        pytest.skip(str(error))
    with Postgres() as running:
        yield running


@pytest.fixture(scope="module")
def official(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Official]:
    """The official registry, with the entries that its own developers start it with."""
    _built(OFFICIAL)
    folder = tmp_path_factory.mktemp("official")
    postgres.create(folder.name)
    seed = document("seed.json")
    with Official(postgres, folder / "log", seed=seed, database=folder.name) as running:
        yield running
