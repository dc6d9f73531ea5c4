"""What pages show of files is well formed."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.docs.reading import ROOT

_BLOCK = re.compile(r"^```(?:yaml|json)\b.*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for number, block in enumerate(_BLOCK.findall(page.read_text()), start=1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_is_yaml(block: str) -> None:
    """JSON is YAML, too."""
    assert [*yaml.safe_load_all(block)] != []
