from __future__ import annotations

from pathlib import Path

from tests.builders import item, server
from thv.domain.entry import Entry
from thv.formats.official import entry_of
from thv.stores.mirrors.base import Problem
from thv.stores.mirrors.sqlite import SqliteMirror, SqliteMirrorRun


def entries(*names: str) -> list[Entry]:
    return [entry_of(item(server(f"io.example/{name}"))) for name in names]


def finish(run: SqliteMirrorRun) -> None:
    run.finish(b"", "2026-01-01T00:00:00Z", format_="upstream")


def alive(mirror: SqliteMirror) -> list[str]:
    return [
        row.name.rpartition("/")[2] for rows in mirror.names() for row in rows if not row.deleted
    ]


def after_a_run_that_was_killed(path: Path) -> SqliteMirror:
    """It held a, b and c; of the next run the pages with a and with something damaged were read."""
    mirror = SqliteMirror(path)
    with mirror.run(complete=True, document=False) as run:
        run.stage(entries("a", "b", "c"), [], b"")
        finish(run)
    with mirror.run(complete=True, document=False) as run:
        run.stage(entries("a"), [], b"1")
        run.stage([], [Problem("page 2[0]", "", "broken")], b"2")
    mirror.close()
    return SqliteMirror(path)


def test_a_resumed_run_knows_what_the_killed_one_has_seen(tmp_path: Path) -> None:
    mirror = after_a_run_that_was_killed(tmp_path / "m.db")
    with mirror.run(complete=True, document=False, resumed=True) as run:
        assert (run.batches, run.read) == (2, 2)
        run.stage(entries("c"), [Problem("page 3[1]", "", "odd")], b"3")
        finish(run)
    assert alive(mirror) == ["a", "c"]
    state = mirror.state()
    assert (state.read, state.rejected) == (4, 2)
    assert [problem.place for problem in state.problems] == ["page 2[0]", "page 3[1]"]
    mirror.close()


def test_a_run_that_begins_anew_forgets_what_a_killed_one_has_seen(tmp_path: Path) -> None:
    mirror = after_a_run_that_was_killed(tmp_path / "m.db")
    with mirror.run(complete=True, document=False) as run:
        run.stage(entries("b"), [], b"1")
        finish(run)
    assert alive(mirror) == ["b"]
    assert (mirror.state().read, mirror.state().rejected) == (1, 0)
    mirror.close()


def test_a_resumed_run_without_memory_of_the_killed_one_keeps_everything(tmp_path: Path) -> None:
    mirror = SqliteMirror(tmp_path / "m.db")
    with mirror.run(complete=True, document=False) as run:
        run.stage(entries("a", "b"), [], b"")
        finish(run)
    with mirror.run(complete=True, document=False, resumed=True) as run:
        run.stage(entries("c"), [], b"")
        finish(run)
    assert alive(mirror) == ["a", "b", "c"]
    mirror.close()
