"""What the whole suite shares: which tests prove which requirements, and that skips do not hide."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.control_plane.fixtures import cluster, control_plane, namespace, place, product
from tests.requirements import NOT_YET, REQUIREMENTS

__all__ = ["cluster", "control_plane", "namespace", "place", "product"]

_SLOW = frozenset({"cluster", "control_plane", "product"})
_PROOFS = pytest.StashKey[dict[str, set[str]]]()
_OUTCOMES = pytest.StashKey[dict[str, str]]()
_MOST_SKIPS = "THV_MOST_SKIPS"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_PROOFS] = {}
    config.stash[_OUTCOMES] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if _SLOW & set(getattr(item, "fixturenames", ())):
            item.add_marker("e2e")  # nothing that is quick starts a cluster
    items.sort(key=_speed)
    proofs = config.stash[_PROOFS]
    for item in items:
        for marker in item.iter_markers("requirement"):
            for requirement in marker.args:
                if requirement not in REQUIREMENTS:
                    raise pytest.UsageError(
                        f"{item.nodeid} names the requirement {requirement}, which does not exist"
                    )
                proofs.setdefault(requirement, set()).add(item.nodeid)


def _speed(item: pytest.Item) -> int:
    """What is fast fails first."""
    return 2 if item.get_closest_marker("e2e") else 1 if item.get_closest_marker("flows") else 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    outcomes = item.config.stash[_OUTCOMES]
    if report.outcome != "passed" or report.when == "call":
        outcomes[item.nodeid] = report.outcome
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A requirement counts as met only if one of its tests really passed in a run of everything."""
    config = session.config
    if _is_partial(config) or session.exitstatus not in (0, 1):
        return
    outcomes = config.stash[_OUTCOMES]
    proofs = config.stash[_PROOFS]
    unproved = [
        requirement
        for requirement in REQUIREMENTS.keys() - NOT_YET.keys()
        if not any(outcomes.get(test) == "passed" for test in proofs.get(requirement, ()))
    ]
    if unproved:
        _fail(session, f"requirements without a test that passed: {', '.join(sorted(unproved))}")
    skipped = sum(outcome == "skipped" for outcome in outcomes.values())
    most = os.environ.get(_MOST_SKIPS)
    if most and skipped > int(most):
        _fail(session, f"{skipped} tests were skipped, at most {most} are expected ({_MOST_SKIPS})")


def _is_partial(config: pytest.Config) -> bool:
    asked_for = [Path(argument).name for argument in config.args]
    return bool(
        config.option.keyword
        or config.option.markexpr
        or asked_for != ["tests"]
        or config.option.collectonly
    )


def _fail(session: pytest.Session, message: str) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(message, red=True)
    session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real registries; tests that want it are skipped loudly without it."""
    folder = os.environ.get("THV_REAL_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("THV_REAL_DATA does not name a folder with real registries")
    return Path(folder)
