"""What the whole suite shares: which tests prove which requirements, and that skips do not hide."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.control_plane.fixtures import cluster, control_plane, namespace, place, product
from tests.requirements import NOT_YET, REQUIREMENTS

__all__ = ["cluster", "control_plane", "namespace", "place", "product"]

_SHARED = {
    "installed": "faults",
    "control_plane": "control plane",
    "releases": "",
    "product": "cluster",
    "poisoned": "poison",
    "chromium": "chromium",
}
"""What takes long to start, and the group of tests that one process runs so that it starts once.

Those of a file are such a group anyway, which is what `""` stands for. Longest first: who starts last waits for nobody.
"""
_PROVES = "proves"
# How long an example takes says nothing where machines are busy.
settings.register_profile(
    "any machine", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
)
settings.load_profile("any machine")
_MOST_SKIPS = "THV_MOST_SKIPS"


class Ledger:
    """What became of each test, kept where the results of all processes come together."""

    def __init__(self, *, grouped: bool) -> None:
        self._grouped = grouped
        self._alone: set[str] = set()
        self._skipped: set[str] = set()
        self._failed: set[str] = set()
        self._proofs: dict[str, set[str]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = _without_group(report.nodeid)
        if self._grouped and name == report.nodeid:
            self._alone.add(name)
        report.nodeid = name
        if report.outcome == "failed":
            self._failed.add(report.nodeid)
        elif report.outcome == "skipped":
            self._skipped.add(report.nodeid)
        elif report.when == "call":
            for name, requirement in report.user_properties:
                if name == _PROVES:
                    self._proofs.setdefault(str(requirement), set()).add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A requirement counts as met only if one of its tests really passed in a run of everything."""
        if self._alone:
            # Nothing else would tell of it but the time: each process then starts all that takes long.
            _fail(session, f"{len(self._alone)} tests ran in no group: xdist does not fit pytest")
        if _is_partial(session.config) or session.exitstatus not in (0, 1):
            return
        proved = {name for name, tests in self._proofs.items() if tests - self._failed}
        unproved = REQUIREMENTS.keys() - NOT_YET.keys() - proved
        if unproved:
            _fail(
                session, f"requirements without a test that passed: {', '.join(sorted(unproved))}"
            )
        skipped, most = len(self._skipped), os.environ.get(_MOST_SKIPS)
        if most and skipped > int(most):
            _fail(
                session,
                f"{skipped} tests were skipped, at most {most} are expected ({_MOST_SKIPS})",
            )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # one of several processes of a run
        config.pluginmanager.register(Ledger(grouped=_is_grouped(config)))


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests of clusters wait for others half of their time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if _shared(item) is not None:
            item.add_marker("e2e")  # nothing that is quick starts a cluster or a browser
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item)))
        for requirement in _requirements(item):
            if requirement not in REQUIREMENTS:
                raise pytest.UsageError(
                    f"{item.nodeid} names the requirement {requirement}, which does not exist"
                )
            item.user_properties.append((_PROVES, requirement))
    items.sort(key=_length if hasattr(config, "workerinput") else _speed)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """What a group shares ends with the group: a cluster costs while it runs, whether or not anybody uses it."""
    if nextitem is None or not hasattr(item.config, "workerinput"):
        return
    if _shared(item) and _group(item) != _group(nextitem):
        item.session._setupstate.teardown_exact(None)


def _shared(item: pytest.Item) -> str | None:
    """The first of what takes long to start that the test asks for."""
    asked = getattr(item, "fixturenames", ())
    return next((name for name in _SHARED if name in asked), None)


def _group(item: pytest.Item) -> str:
    return _SHARED.get(_shared(item) or "") or item.nodeid.partition("::")[0]


def _is_grouped(config: pytest.Config) -> bool:
    """Whether processes take tests by groups."""
    return bool(config.getoption("dist") == "loadgroup" and config.getoption("tx"))


def _without_group(nodeid: str) -> str:
    """As it is without xdist, which writes the group behind it: so it is found again by `--last-failed`."""
    return nodeid.rpartition("@")[0] if nodeid.rfind("@") > nodeid.rfind("]") else nodeid


def _requirements(item: pytest.Item) -> list[str]:
    return [each for marker in item.iter_markers("requirement") for each in marker.args]


def _speed(item: pytest.Item) -> int:
    """What is fast fails first."""
    return 2 if item.get_closest_marker("e2e") else 1 if item.get_closest_marker("flows") else 0


def _length(item: pytest.Item) -> int:
    """Processes beside each other take the longest groups first, so that they end together."""
    names = list(_SHARED)
    shared = _shared(item)
    return names.index(shared) if shared else len(names) + 2 - _speed(item)


def _is_partial(config: pytest.Config) -> bool:
    asked_for = [Path(argument).name for argument in config.args]
    return bool(
        config.option.keyword
        or config.option.markexpr
        or asked_for != ["tests"]
        or config.option.collectonly
        or config.option.lf
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
