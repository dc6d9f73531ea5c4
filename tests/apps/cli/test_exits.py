from __future__ import annotations

import io

import pytest

from tests.apps.cli.running import Screen
from thv.apps.cli.console import open_console
from thv.apps.cli.exits import EXITS, CommandError, Exit, exit_of, show_error
from thv.apps.cli.options import Surroundings
from thv.domain.errors import Code, FieldError, InvalidError, ThvError


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_an_exit_code_that_is_no_success(code: Code) -> None:
    assert exit_of(ThvError(code, "x")) is EXITS[code]
    assert EXITS[code] not in (Exit.OK, Exit.INTERRUPTED)


def test_the_numbers_are_those_that_are_documented() -> None:
    assert {each.name: each.value for each in Exit} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "UNCHANGED": 3,
        "FORBIDDEN": 4,
        "NOT_FOUND": 5,
        "CONFLICT": 6,
        "POLICY": 7,
        "PENDING": 8,
        "BROKEN": 9,
        "UNREACHABLE": 10,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (Code.INVALID, 2),
        (Code.FORBIDDEN, 4),
        (Code.NOT_FOUND, 5),
        (Code.PATH_NOT_FOUND, 5),
        (Code.CONFLICT, 6),
        (Code.ALREADY_EXISTS, 6),
        (Code.SNAPSHOT_DAMAGED, 9),
        (Code.SOURCE_UNREACHABLE, 10),
        (Code.FORMAT_INVALID, 1),
    ],
)
def test_what_scripts_rely_on(code: Code, number: int) -> None:
    assert EXITS[code] == number


def test_a_command_may_know_better() -> None:
    assert exit_of(CommandError(Code.INVALID, "x", exit_code=Exit.PENDING)) is Exit.PENDING


def test_an_error_says_what_why_and_what_next() -> None:
    error = CommandError(
        Code.NOT_FOUND,
        "no \x1b[31mserver",
        cause="a typo",
        suggestions=["a", "b"],
        tries=["one", "two"],
    )
    assert _shown(error) == (
        "\nError: no \\u001b[31mserver\nDid you mean: a, b?\nCause: a typo\nTry:   one\n       two\n"
    )


def test_several_wrong_fields_are_a_list() -> None:
    error = InvalidError('mcpregistry "x"', [FieldError("a", "bad"), FieldError("b", "worse")])
    assert "\n  * a: bad\n  * b: worse\n" in _shown(error)


def _shown(error: ThvError) -> str:
    err = Screen()
    around = Surroundings(environ={}, stdin=io.BytesIO(), stdout=Screen(), stderr=err)
    show_error(error, open_console(around, "auto", None))
    return err.getvalue()
