"""What it costs a registry API to know its callers.

    python -m bench.registry_callers [--seconds 8] [--entries 10000] [--only WORD]

Two times `thv serve` over the same data folder, on the same core, in turns: one is open to everybody, one has an access
file. Both get the same requests, of one caller whose token is as long as that of a service account, and are warm: what
differs is who looks at it. What counts is requests a second of processor time, the middle one of the turns.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import string
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.registry_api import (
    SEED,
    THV,
    Load,
    Running,
    Scenario,
    middle,
    scenarios,
    walk,
    with_tags,
    write_document,
    wrk,
)
from thv.formats.tokens import AccessFile, Given, Token, render_access

BAR = 0.85
TURNS = 7
ROWS = ("detail /api/v1", "detail /v0.1", "page of 100 /v0.1", "304")
TOKEN = "".join(random.Random(SEED).choices(string.ascii_letters + string.digits, k=900))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.set_defaults(document="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sys.exit(run(Path(name), arguments))


def run(work: Path, arguments: argparse.Namespace) -> int:
    write_document(work / "registry.json", arguments)
    data, access = work / "data", work / "access.yaml"
    add = ["registry", "add", "bench", "--file", str(work / "registry.json")]
    subprocess.run([THV, "--data", str(data), *add], check=True, capture_output=True)
    access.touch(mode=0o600)
    access.write_bytes(render_access(one_caller()))
    serve, missed = ("--registry", "bench", "--read-only"), 0
    with (
        Running("folder", data, *serve) as everybody,
        Running("folder", data, *serve, "--token-file", str(access)) as known,
    ):
        print(f"{'':22} {'open/s':>7} {'known/s':>7} {'share':>6} {'bar':>4}")
        for scenario in scenarios(everybody, names_of(everybody)):
            if scenario.name in ROWS and arguments.only in scenario.name:
                missed += measured(scenario, everybody, known, work, arguments.seconds / TURNS)
    return min(missed, 1)


def one_caller() -> AccessFile:
    role = Given(role="toolhive-registry-user", namespace="default")
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    return AccessFile(tokens=(Token(sha256=digest, user="bench", roles=(role,)),))


def names_of(server: Running) -> list[str]:
    pages = walk(server, "/api/v1/servers?limit=1000", "next_cursor")
    return [item["name"] for page in pages for item in json.loads(server.get(page)[2])["servers"]]


def measured(
    scenario: Scenario, everybody: Running, known: Running, work: Path, seconds: float
) -> bool:
    """Prints a row; whether it is below the bar."""
    lines = with_tags(everybody, scenario)
    opened: list[Load] = []
    checked: list[Load] = []
    for _ in range(TURNS):
        opened.append(wrk(everybody, lines, seconds, work, token=TOKEN))
        checked.append(wrk(known, lines, seconds, work, token=TOKEN))
    without, with_ = middle(opened).each, middle(checked).each
    share = with_ / without
    verdict = "" if share >= BAR else "  BELOW"
    print(
        f"{scenario.name:22} {without:7.0f} {with_:7.0f} {share:6.1%} {BAR:4.0%}{verdict}",
        flush=True,
    )
    return share < BAR


if __name__ == "__main__":
    main()
