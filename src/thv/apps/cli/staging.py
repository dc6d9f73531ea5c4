"""The entries of a document in a mirror: sorted, each key once, as a sync would see them, and out of memory.

In the flow: behind `thv registry import` and `diff`, between a document and what is compared or written.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from thv.apps.cli.documents import Paper
from thv.apps.cli.progress import ProgressLine
from thv.domain.errors import Code, ThvError
from thv.formats.documents import Found, Rejected
from thv.stores.mirrors.base import Mirror, Problem
from thv.sync.fetch import Progress

_BATCH = 100


def fill(mirror: Mirror, paper: Paper, at: str, line: ProgressLine) -> None:
    """Puts all entries of the document into the mirror, looked at now; raises EMPTY when there are none."""
    try:
        _fill(mirror, paper, at, line)
    finally:
        line.clear()


def _fill(mirror: Mirror, paper: Paper, at: str, line: ProgressLine) -> None:
    items = iter(paper.items())
    entries = 0
    with mirror.run(complete=True, document=True) as run:
        while batch := list(islice(items, _BATCH)):
            found = [item.entry for item in batch if isinstance(item, Found)]
            run.stage(found, _problems(batch), b"")
            entries += len(found)
            line.report(Progress(entries=entries))
        if not entries:
            raise ThvError(Code.EMPTY, f"{paper.title} holds no entries")
        run.finish(b"", at, format_=paper.format.value)


def _problems(batch: Iterable[Found | Rejected]) -> list[Problem]:
    return [
        Problem(item.place, item.name, item.reason) for item in batch if isinstance(item, Rejected)
    ]
