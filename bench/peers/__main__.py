"""Ours beside the official registry with PostgreSQL: python -m bench.peers --folder OUT [--rows 185001] [--seconds 5]

It takes Go, PostgreSQL, wrk, two cores and some minutes. The official registry and its database, and our service, run
as they are shipped, each pinned to the first core; load comes from the second one. Both hold the same entries: those
of the official project's own benchmark. Every page, and a sample of all else, is compared before anything is timed;
the two take turns (theirs, ours, ours, theirs), and what is printed is the mean of a side's turns. Ratios are theirs to
ours where less is better, ours to theirs where more is. Raw output stays in the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean

import msgspec
from tests.peers.postgres import Postgres
from tests.peers.programs import OFFICIAL

from bench.peers import questions
from bench.peers.load import SEED, Closed, Open, closed, opened
from bench.peers.questions import Same
from bench.peers.sides import ON_SERVER_CORE, Ours, Theirs, ask, seeded, use_of

TURNS = (0, 1, 1, 0)
"""Theirs, ours, ours, theirs: what drifts during the run hits both alike."""
WHOLE = 120.0
"""Seconds within which each question of a kind that is asked once should be answered."""
SEARCHES = 5_200
SAMPLE = 300
"""Answers of each kind that are compared, beside all pages."""


class Scenario(msgspec.Struct, frozen=True):
    """One kind of question."""

    name: str
    lines: dict[str, list[str]]
    """Of each side: addresses, each with the tag that the client has, if any."""
    bar: float
    """How many times as many answers a second as theirs are wanted; 0: no bar."""
    once: bool = False
    """Each is asked once, of a process that was just started."""


class Result(msgspec.Struct, frozen=True):
    """A scenario, and what each side reached, turn by turn."""

    scenario: str
    bar: float
    theirs: list[Closed]
    ours: list[Closed]
    open_theirs: list[Open]
    open_ours: list[Open]


class Report:
    """What is printed is kept as well."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "report.txt"
        self._file.write_text("")

    def __call__(self, line: str = "") -> None:
        print(line, flush=True)
        with self._file.open("a") as file:
            file.write(f"{line}\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where raw output is kept")
    parser.add_argument("--rows", type=int, default=185_001, help="versions, a multiple of three")
    parser.add_argument("--seconds", type=float, default=5, help="of each turn")
    parser.add_argument("--only", default="", help="detail, page of 100, or search")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    say = Report(asked.folder)
    (asked.folder / "machine.json").write_text(json.dumps(machine(), indent=2))
    with both(asked.folder, asked.rows, say) as (theirs, ours):
        same = questions.compared(theirs, ours)
        say(f"every page is the same: {len(same.keys)} versions in {len(same.pages['thv'])} pages")
        print_head(say)
        results = []
        for scenario in scenarios(theirs, ours, same, asked.only):
            results.append(measured(scenario, theirs, ours, asked.folder, asked.seconds))
            print_row(results[-1], say)
        print_latencies(results, say)
        print_memory(results, say)
    (asked.folder / "results.json").write_bytes(msgspec.json.encode(results))


@contextmanager
def both(folder: Path, rows: int, say: Report) -> Iterator[tuple[Theirs, Ours]]:
    """Both sides with the same entries, and what it took to get there."""
    with (
        Postgres(settings=(), before=ON_SERVER_CORE, order=("--no-locale",)) as postgres,
        tempfile.TemporaryDirectory() as data,
    ):
        seconds = seeded(postgres, rows)
        say(f"{rows} versions into PostgreSQL by its own seeder, past all checks: {seconds:.1f} s")
        with Theirs(postgres, folder) as theirs:
            ours = Ours(Path(data))
            source = ("--registry-url", theirs.url, "--versions", "all", "--interval", "24h")
            seconds = ours.load(*source, "--allow-private-ip", "--allow-http")
            say(f"all of them into thv, checked, over that registry's API: {seconds:.1f} s")
            with ours:
                say(
                    f"start, content there: official {theirs.restart():.2f} s, thv {ours.restart():.2f} s"
                )
                say(f"memory then: {use_of(theirs).memory:.0f} MB, {use_of(ours).memory:.0f} MB")
                yield theirs, ours


def machine() -> dict[str, object]:
    """What the figures depend on."""
    model = next(
        (
            line.partition(": ")[2]
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "",
    )
    version = subprocess.run(["postgres", "--version"], capture_output=True, text=True, check=False)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "official": OFFICIAL.version,
        "postgres": version.stdout.strip(),
    }


# ---------------------------------------------------------------- what is asked


def scenarios(theirs: Theirs, ours: Ours, same: Same, only: str) -> Iterator[Scenario]:
    """Those whose name holds a word, each after a look whether both sides say the same."""
    if only in "detail":
        details = questions.details(same, 20_000)
        questions.same_details(theirs, ours, random.Random(SEED).sample(details, SAMPLE))
        yield Scenario("detail", alike(details), 3)
    if only in "page of 100":
        tagged = [f"{path} {ask(ours.port, path)[1]['etag']}" for path in same.pages[ours.name]]
        yield Scenario("page of 100", same.pages, 10)
        yield Scenario("page of 100, just started", same.other_pages, 0, once=True)
        yield Scenario("page that the client has", {**same.pages, ours.name: tagged}, 0)
    if only in "search":
        found = questions.same_searches(theirs, ours, questions.searches(same, SEARCHES))
        yield Scenario("search, all different", alike(found), 3, once=True)
        yield Scenario("search, a third repeats", alike(questions.repeating(found)), 10, once=True)


def alike(lines: list[str]) -> dict[str, list[str]]:
    """The same addresses for both."""
    return {Theirs.name: lines, Ours.name: lines}


# ---------------------------------------------------------------- what comes of it


def measured(
    scenario: Scenario, theirs: Theirs, ours: Ours, folder: Path, seconds: float
) -> Result:
    sides = (theirs, ours)
    reached: tuple[list[Closed], list[Closed]] = ([], [])
    for turn, number in enumerate(TURNS):
        side = sides[number]
        if scenario.once:
            side.restart()
        raw = folder / f"{slug(scenario)}-{turn}-{side.name}"
        most = WHOLE if scenario.once else seconds
        done = closed(side, scenario.lines[side.name], most, raw, once=scenario.once)
        reached[number].append(done)
    rate = mean(each.rate for each in reached[0]) / 2
    waited: tuple[list[Open], list[Open]] = ([], [])
    for turn, number in enumerate(TURNS):
        side = sides[number]
        if scenario.once:
            side.restart()
        raw = folder / f"{slug(scenario)}-open-{turn}-{side.name}"
        paths = shuffled(scenario.lines[side.name], keep=scenario.once)
        waited[number].append(opened(side, paths, rate, seconds, raw))
    return Result(scenario.name, scenario.bar, *reached, *waited)


def shuffled(lines: list[str], *, keep: bool) -> list[str]:
    """Addresses without tags: an open load asks for whole answers."""
    paths = [line.partition(" ")[0] for line in lines]
    if not keep:
        random.Random(SEED).shuffle(paths)
    return paths


def slug(scenario: Scenario) -> str:
    return scenario.name.replace(",", "").replace(" ", "-")


def print_head(say: Report) -> None:
    say()
    say("closed load, 16 connections; answers a second, and a second of processor time")
    say(f"{'':26} {'official':>9} {'thv':>9} {'ratio':>6} {'by cpu':>7} {'wanted':>7}")


def print_row(result: Result, say: Report) -> None:
    def average(what: Callable[[Closed], float]) -> tuple[float, float]:
        return mean(map(what, result.theirs)), mean(map(what, result.ours))

    theirs, ours = average(lambda each: each.rate)
    their_cpu, our_cpu = average(lambda each: each.by_cpu)
    ratio, by_cpu = ours / theirs, our_cpu / their_cpu
    wanted = f"{result.bar:.0f}x" if result.bar else ""
    verdict = "" if max(ratio, by_cpu) >= result.bar else "  BELOW"
    say(
        f"{result.scenario:26} {theirs:9.0f} {ours:9.0f} {ratio:5.1f}x {by_cpu:6.1f}x {wanted:>7}{verdict}"
    )


def print_latencies(results: list[Result], say: Report) -> None:
    say()
    say("open load, half of what the official registry reached; milliseconds")
    say(
        f"{'':26} {'rate':>6}  {'official p50':>12} {'p99':>8}  {'thv p50':>8} {'p99':>8}  {'ratio':>6}"
    )
    for result in results:
        theirs = [mean(getattr(each, at) for each in result.open_theirs) for at in ("p50", "p99")]
        ours = [mean(getattr(each, at) for each in result.open_ours) for at in ("p50", "p99")]
        rate = result.open_theirs[0].rate
        say(
            f"{result.scenario:26} {rate:6.0f}  {theirs[0]:12.2f} {theirs[1]:8.2f}  "
            f"{ours[0]:8.2f} {ours[1]:8.2f}  {theirs[1] / ours[1]:5.1f}x"
        )


def print_memory(results: list[Result], say: Report) -> None:
    theirs = max(each.memory for result in results for each in result.theirs)
    ours = max(each.memory for result in results for each in result.ours)
    say()
    say(
        f"most memory (PSS) after a load: official {theirs:.0f} MB with PostgreSQL, thv {ours:.0f} MB, "
        f"{ours / theirs:.2f} of it (wanted: at most 0.50)"
    )


if __name__ == "__main__":
    main()
