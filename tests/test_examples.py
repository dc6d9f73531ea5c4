"""The manifests under `examples/` are accepted as they stand."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
import yaml

from thv.domain.rules import check_rules
from thv.stores.resources.memory import MemoryStore

EXAMPLES = Path(__file__).parent.parent / "examples"
FILES = sorted(EXAMPLES.glob("*.yaml"))


@pytest.mark.requirement("REG-01", "REG-13")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_accepted(file: Path) -> None:
    manifests = list(yaml.safe_load_all(file.read_text()))

    async def apply() -> None:
        store = MemoryStore()
        for obj in manifests:
            obj["metadata"].setdefault("namespace", "default")
            applied = await store.apply(obj, manager="test")
            assert check_rules(applied) == [] or obj["kind"] != "MCPRegistry"

    anyio.run(apply)


def test_every_example_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    assert [file.name for file in FILES if f"`{file.name}`" not in listed] == []
