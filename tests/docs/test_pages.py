"""The pages that tell people what to type: every command works as it stands, in its order, and says what is shown."""

from __future__ import annotations

import pytest

from tests.docs.reading import ROOT, Command, File, NotRun, Step, fits, steps_of
from tests.docs.stage import Said, Session, Stage

JOURNEYS = (
    ("docs/how-to/air-gap.md",),
    ("docs/how-to/install.md",),
    (
        "README.md",
        "docs/kubernetes.md",
        "docs/how-to/private-git.md",  # opens hosts for sources
        "docs/how-to/sources.md",
        "docs/how-to/catalog.md",
        "docs/how-to/dashboard.md",
        "docs/how-to/servers.md",  # has its kinds of servers taken away at its end
        "docs/how-to/gitops.md",
        "docs/how-to/troubleshoot.md",
        "docs/how-to/callers.md",
        "docs/how-to/catalog-service.md",
        "docs/tutorial.md",  # takes everything away
    ),
    ("docs/how-to/https.md", "docs/how-to/service-mesh.md"),
)
"""Pages of a journey go on with the operator that those before them installed; the first one finds none."""
PAGES = [page for journey in JOURNEYS for page in journey]
WHYS = {
    "needs a container runtime",
    "needs a registry of images",
    "needs a service mesh",
    "needs an identity provider",
    "needs the network outside",
    "the nodes of the tests forward no ports",
}


@pytest.mark.e2e
@pytest.mark.requirement("OPS-04")
@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey[0])
def test_every_command_of_the_pages_works(stage: Stage, journey: tuple[str, ...]) -> None:
    for page in journey:
        with stage.session(page, bare=page == journey[0]) as session:
            for step in steps_of(stage.led((ROOT / page).read_text())):
                _do(session, page, step)


def _do(session: Session, page: str, step: Step) -> None:
    match step:
        case File():
            session.write(step)
        case Command():
            said = session.do(step)
            if said.code != 0 or (step.said and not fits(said.text, step.said)):
                report = f"{_report(page, step, said)}\n{session.look_around()}"
                pytest.fail(report, pytrace=False)
        case NotRun():
            pass


def _report(page: str, step: Command, said: Said) -> str:
    return (
        f"{page}:{step.line}: $ {step.text}\nended with {said.code} and said:\n{said.text}\n"
        f"the page shows:\n{step.said}"
    )


def test_every_page_with_commands_is_played() -> None:
    found = [
        ROOT / "README.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs/how-to").glob("*.md"),
    ]
    names = {str(path.relative_to(ROOT)) for path in found if steps_of(path.read_text())}
    assert names == set(PAGES)


def test_what_is_not_run_says_why() -> None:
    skipped = {
        step.why
        for page in PAGES
        for step in steps_of((ROOT / page).read_text())
        if isinstance(step, NotRun)
    }
    assert skipped == WHYS
