"""`thv doctor`."""

from __future__ import annotations

from thv.apps.cli.command import command
from thv.apps.cli.exits import CommandError, Exit
from thv.apps.cli.loader import load
from thv.apps.cli.options import option
from thv.apps.cli.session import Session
from thv.apps.cli.times import DURATION
from thv.domain.errors import Code


@command(
    "doctor",
    examples=(
        "thv doctor",
        "thv doctor --context prod",
        "thv doctor --pre",
        "thv doctor --context prod -o json | jq '.items[] | select(.outcome == \"failed\")'",
    ),
    outputs=("text", "json", "yaml"),
)
@option("--pre", is_flag=True, help="Before an installation: whether a cluster is ready for it.")
@option(
    "--timeout",
    type=DURATION,
    default="10s",
    show_default=True,
    metavar="TIME",
    help="How long each check may take.",
)
async def doctor(session: Session, *, pre: bool, timeout: float) -> Exit:
    """Find out what is wrong, and how it is mended.

    Without a cluster it looks at this machine: the data folder and its registries. Nothing is changed. It ends with 0
    when all is fine, 1 when something failed, 10 when the cluster cannot be reached.
    """
    if pre and session.common.backend == "local":
        raise CommandError(
            Code.INVALID,
            "--pre is about a cluster, and --backend is local",
            tries=["leave out one of them"],
        )
    if pre and not session.settings.on_cluster:
        session.common.backend = "kubernetes"  # commands that are suggested say so
    code: Exit = await load("thv.apps.cli.doctor.run:run_doctor")(session, pre=pre, seconds=timeout)
    return code
