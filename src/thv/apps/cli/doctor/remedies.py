"""The commands that mend what was found.

In the flow: verdicts name one of them in each finding that is not fine. Pure; every word that comes from a cluster is
quoted, as somebody pastes the line.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.resources import OLD_GROUP, annotations_of, namespace_of
from thv.domain.roles import OPERATOR

SYSTEM = "toolhive-system"
"""Where the operator is, unless somebody chose otherwise."""
UPGRADE = "pip install --upgrade toolhive-registry"
"""A newer program."""
CHART = "charts/toolhive-registry"
TOOLHIVE = "toolhive-operator-crds"
TOOLHIVE_CHART = "oci://ghcr.io/stacklok/toolhive/toolhive-operator-crds"
RELEASE = "meta.helm.sh/release-name"


class Remedies(msgspec.Struct, frozen=True, kw_only=True):
    """How commands begin for whoever asked."""

    name: str = "thv"
    """As the program was called."""
    program: str = "thv"
    """With the flags that lead to the same registries."""
    context: str = ""
    kubeconfig: str = ""

    def kubectl(self, *words: str, namespace: str = "") -> str:
        """A command of kubectl for the same cluster."""
        flags = {"--kubeconfig": self.kubeconfig, "--context": self.context, "-n": namespace}
        given = [word for flag, value in flags.items() if value for word in (flag, value)]
        return shlex.join(["kubectl", *given, *words])

    def thv(self, *words: str, namespace: str = "") -> str:
        """A command of ours for the same registries."""
        there = ["-n", namespace] if namespace else []
        return f"{self.program} {shlex.join([*words, *there])}"

    def elsewhere(self, context: str) -> str:
        """How a command of ours begins that is about another context."""
        flags = {"--kubeconfig": self.kubeconfig, "--context": context}
        given = [word for flag, value in flags.items() if value for word in (flag, value)]
        return shlex.join([*self.name.split(), *given])

    def install(self, namespace: str = SYSTEM) -> str:
        """Brings everything."""
        return self.thv("operator", "install", namespace="" if namespace == SYSTEM else namespace)

    def repair(self, operator: JsonObject | None, values: Sequence[str] = (), *words: str) -> str:
        """Brings back what belongs to an operator by the way it was installed, or everything where there is none.

        `values` are for Helm, `words` for our own command.
        """
        if operator is None:
            return self.install()
        release = annotations_of(operator).get(RELEASE)
        if release is None:
            return self.thv("operator", "upgrade", "--force-conflicts", *words)
        sets = [word for value in values for word in ("--set", value)]
        there = ["-n", namespace_of(operator), "--reuse-values", *sets]
        return shlex.join(["helm", "upgrade", release, CHART, *self._helm_flags(), *there])

    def optional_kinds(self, group: str) -> str:
        """Brings the kinds of ToolHive: ours are shipped beside our own, theirs by themselves."""
        if group == OLD_GROUP:
            flags = self._helm_flags()
            return shlex.join(["helm", "upgrade", "--install", TOOLHIVE, TOOLHIVE_CHART, *flags])
        folder = "charts/toolhive-registry-crds/optional"
        return self.kubectl("apply", "--server-side", "--force-conflicts", "-f", folder)

    def restart(self, namespace: str) -> str:
        """New pods of the operator."""
        return self.kubectl("rollout", "restart", f"deployment/{OPERATOR}", namespace=namespace)

    def helm_install(self, namespace: str, *words: str) -> str:
        """The chart, where somebody is about to use it."""
        there = ["-n", namespace, "--create-namespace", "--wait", *words]
        return shlex.join(
            ["helm", "install", "toolhive-registry", CHART, *self._helm_flags(), *there]
        )

    def _helm_flags(self) -> list[str]:
        flags = {"--kubeconfig": self.kubeconfig, "--kube-context": self.context}
        return [word for flag, value in flags.items() if value for word in (flag, value)]
