"""Log lines, for people and for programs, and nothing secret in either."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from thv.apps.kit.logs import LogFormat, without_secrets

PROGRAM = """
import logging
from thv.apps.kit.logs import log_lines
log_lines("INFO", "{form}")
log = logging.getLogger("thv.some")
log.debug("not shown")
log.info('read "%s" from %s', "é\\n", "https://me:hunter2@git.example.com/a?token=abcdef&b=1")
try:
    raise ValueError("Bearer eyJhbGciOiJSUzI1NiJ9.e30.x")
except ValueError:
    log.exception("that failed")
"""


def lines(form: LogFormat) -> list[str]:
    """What a process writes to standard error."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(form=form)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "hunter2" not in done.stderr
    assert "abcdef" not in done.stderr
    assert "eyJ" not in done.stderr
    return done.stderr.splitlines()


def test_a_line_for_people_has_time_level_and_place() -> None:
    first = lines("text")[0].partition("Z ")[2]
    assert first.startswith('INFO thv.some: read "')


def test_a_line_for_programs_is_one_object() -> None:
    told: list[dict[str, Any]] = [json.loads(line) for line in lines("json")]
    assert [each["message"].partition(" ")[0] for each in told] == ["read", "that"]
    assert [each["level"] for each in told] == ["INFO", "ERROR"]
    assert told[0]["message"] == (
        'read "é\n" from https://me:(hidden)@git.example.com/a?token=(hidden)&b=1'
    )
    assert told[0]["time"].endswith("Z")
    assert told[1]["exception"].endswith("ValueError: Bearer (hidden)")


@pytest.mark.parametrize(
    "text",
    [
        "the token of corp-api was refused",
        "secret corp/token: key password is missing",
        "https://example.com:8443/a@b",
        "basic settings",
    ],
)
def test_words_that_are_no_secrets_stay(text: str) -> None:
    assert without_secrets(text) == text
