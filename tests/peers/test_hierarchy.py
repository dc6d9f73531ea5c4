"""A registry of ours on top of another one, in two processes: what is served above is what is served below."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.apps.standalone.process import Process
from tests.peers.official import Asking
from tests.peers.ours import follower
from tests.peers.waiting import until
from tests.test_samples import TOOLHIVE
from thv.data import read

pytestmark = [pytest.mark.e2e, pytest.mark.requirement("REG-05")]

FORMS = ("toolhive", "upstream")
WAYS = {"base": "", "official": "/v0.1/servers", "own": "/api/v1/servers"}
"""What of the lower registry's address a person may copy."""


def exported(asking: Asking, form: str) -> Any:
    """All that a registry serves, but for when it learned of it."""
    document = asking.ask("GET", f"/api/v1/export?format={form}").body
    return without_times(document)


def are_equal(above: Asking, below: Asking) -> bool:
    return all(exported(above, form) == exported(below, form) for form in FORMS)


def without_times(document: Any) -> Any:
    match document:
        case dict():
            left = {key: each for key, each in document.items() if key not in _TIMES}
            return {key: without_times(each) for key, each in left.items()}
        case list():
            return [without_times(each) for each in document]
        case _:
            return document


_TIMES = frozenset({"last_updated"})


def test_content_and_removals_climb_up(tmp_path: Path) -> None:
    content = json.loads(read(TOOLHIVE))
    del content[
        "groups"
    ]  # no API carries them; a registry of the same namespace is read from its snapshot
    file, above = tmp_path / "lower.json", tmp_path / "above"
    above.mkdir()
    file.write_text(json.dumps(content))
    arguments = ("--registry-file", "lower.json", "--port", "0")
    with Process(tmp_path, "serve", *arguments) as lower, follower(above) as upper:
        lower.until_served("/v0.1/servers")
        below = Asking(lower.port)
        base = f"http://127.0.0.1:{lower.port}"
        askings = {name: upper.add(name, base + way) for name, way in WAYS.items()}
        for asking in askings.values():
            for form in FORMS:
                assert exported(asking, form) == exported(below, form)
        gone = min(content["servers"])
        del content["servers"][gone]
        file.write_text(json.dumps(content))
        until(lambda: below.ask("GET", f"/api/v1/servers/{gone}").status == 404)
        upper.sync(*askings)
        for asking in askings.values():
            until(partial(are_equal, asking, below))
        below.close()
