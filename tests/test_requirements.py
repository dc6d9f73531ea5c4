"""The table of requirements against the tests that exist."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.requirements import NOT_YET, PARTLY, REQUIREMENTS

HERE = Path(__file__).parent


def marked() -> dict[str, list[str]]:
    """Requirement to the tests that carry its id, read from the sources."""
    found: dict[str, list[str]] = {}
    for path in sorted(HERE.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for requirement in (
                    name for mark in node.decorator_list for name in names_in(mark)
                ):
                    found.setdefault(requirement, []).append(
                        f"{path.relative_to(HERE)}::{node.name}"
                    )
    return found


def names_in(mark: ast.expr) -> list[str]:
    """The ids in `@pytest.mark.requirement("A-1", "B-2")`."""
    if not isinstance(mark, ast.Call) or not ast.unparse(mark.func).endswith("mark.requirement"):
        return []
    return [
        argument.value
        for argument in mark.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def test_every_requirement_is_proved_or_says_why_not() -> None:
    proved = marked()
    assert proved.keys() <= REQUIREMENTS.keys()
    assert {r for r in REQUIREMENTS if r not in proved and r not in NOT_YET} == set()


def test_there_are_all_of_them() -> None:
    assert len(REQUIREMENTS) == 87
    assert NOT_YET.keys() <= REQUIREMENTS.keys()
    assert PARTLY.keys() <= REQUIREMENTS.keys() - NOT_YET.keys()
