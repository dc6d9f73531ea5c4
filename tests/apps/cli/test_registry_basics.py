from __future__ import annotations

import pytest

from tests.apps.cli.running import Cli, check_golden


@pytest.mark.requirement("CLI-01")
def test_an_empty_list_says_nothing_to_a_pipe_and_what_to_do_to_a_person(
    cli: Cli, terminal: Cli
) -> None:
    assert cli.ok("registry list").out == ""
    check_golden("registry_list_empty", terminal.ok("thv registry list").err)


def test_help_goes_to_the_output_of_the_command(cli: Cli) -> None:
    assert "Add a registry." in cli.ok("registry --help").out


def test_a_command_that_does_not_exist_is_a_usage_error(cli: Cli) -> None:
    ran = cli("registry lsit -o json")
    assert (ran.code, ran.error["suggestions"]) == (2, ["list"])
