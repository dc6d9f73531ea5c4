"""Links between pages lead somewhere, to the heading that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.reading import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ANCHOR = re.compile(r'<a id="([^"]+)">')


def anchors(page: Path) -> set[str]:
    """What may stand behind `#`: headings as GitHub spells them, and anchors that a page sets."""
    text = _FENCED.sub("", page.read_text())
    spelled = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(text))
    return {title.replace(" ", "-") for title in spelled} | set(_ANCHOR.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    lost = []
    for link in _LINK.findall(_FENCED.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        is_outside = "://" in link
        if is_outside or (target.exists() and (not anchor or anchor in anchors(target))):
            continue
        lost.append(link)
    assert lost == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "README.md").read_text()
    folders = {"docs/adr", "docs/runbooks"}
    pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")}
    listed = {page for page in pages if f"]({page})" in index or str(Path(page).parent) in folders}
    assert pages == listed
