"""The checks of one machine, in the order in which they are told.

In the flow: each joins a reader with a verdict; `plan` runs them. That of the program is made for a cluster too.
"""

from __future__ import annotations

import shlex

from thv.apps.cli.doctor.content import Keeper, judge_registries
from thv.apps.cli.doctor.findings import Findings
from thv.apps.cli.doctor.machine import (
    Program,
    judge_folder,
    judge_git,
    judge_lock,
    judge_port,
    judge_program,
    judge_space,
    judge_store,
)
from thv.apps.cli.doctor.machine_reader import Machine
from thv.apps.cli.doctor.plan import Check
from thv.apps.cli.doctor.remedies import Remedies
from thv.apps.kit.home import Home

_MACHINE = "This machine"


def of_program(program: Program) -> Check:
    """Python, and which program the shell finds."""

    async def look() -> Findings:
        return judge_program(program)

    return Check(id="program", topic=_MACHINE, look=look, stuck="thv version")


def of_machine(machine: Machine, home: Home, remedies: Remedies) -> list[Check]:
    """The data folder and what is around it."""
    stuck = f"ls -la {shlex.quote(str(home.root))}"

    async def folder() -> Findings:
        return judge_folder(await machine.folder())

    async def space() -> Findings:
        return judge_space(await machine.folder())

    async def store() -> Findings:
        return judge_store(await machine.store())

    async def lock() -> Findings:
        return judge_lock(await machine.lock())

    async def port() -> Findings:
        return judge_port(await machine.port(), remedies)

    async def git() -> Findings:
        return judge_git(await machine.git())

    async def registries() -> Findings:
        return judge_registries(await machine.registries(), remedies, Keeper(on_cluster=False))

    read = ("folder", "store")
    return [
        Check(id="folder", topic=_MACHINE, look=folder, stuck=stuck),
        Check(id="space", topic=_MACHINE, look=space, stuck=stuck),
        Check(id="store", topic=_MACHINE, look=store, needs=("folder",), stuck=stuck),
        Check(id="lock", topic=_MACHINE, look=lock, needs=("folder",), stuck=stuck),
        Check(id="port", topic=_MACHINE, look=port, stuck=stuck),
        Check(id="git", topic=_MACHINE, look=git, needs=read, stuck="git version"),
        Check(id="registries", topic="Registries", look=registries, needs=read, stuck=stuck),
    ]
