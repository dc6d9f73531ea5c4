"""Which backend is meant: a cluster only where somebody names one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apps.cli.running import Cli
from thv.apps.cli.options import Common, Surroundings
from thv.apps.cli.settings import Settings, read_settings
from thv.domain.errors import ThvError


def settings(
    home: Path, program: str = "thv", environ: dict[str, str] | None = None, **given: Any
) -> Settings:
    common = Common(Surroundings(environ=environ or {}, home=home), (), program)
    for name, value in given.items():
        setattr(common, name, value)
    return read_settings(common)


@pytest.mark.requirement("CLI-07")
@pytest.mark.parametrize(
    ("given", "environ", "config", "why"),
    [
        ({}, {}, "", ""),
        ({}, {"KUBECONFIG": "/home/me/.kube/config"}, "", ""),
        ({"backend": "kubernetes"}, {}, "", "--backend"),
        ({"context": "prod"}, {}, "", "--context"),
        ({"kubeconfig": "/k"}, {}, "", "--kubeconfig"),
        ({"acts_as": "jane"}, {}, "", "--as"),
        ({"acts_as_groups": ("g",)}, {}, "", "--as"),
        ({}, {"THV_BACKEND": "kubernetes"}, "", "THV_BACKEND"),
        ({}, {}, "backend: kubernetes", "config file"),
        ({}, {}, "context: prod", "context of config file"),
        ({}, {"THV_CONTEXT": "prod"}, "", "context of THV_CONTEXT"),
        ({"data": "/d"}, {"THV_CONTEXT": "prod"}, "", ""),
        ({"data": "/d", "context": "prod"}, {}, "", "--context"),
        ({"backend": "local"}, {"THV_BACKEND": "kubernetes"}, "", ""),
        ({"context": "prod"}, {"THV_BACKEND": "local"}, "", "--context"),
        ({}, {"THV_BACKEND": "local", "THV_CONTEXT": "prod"}, "", ""),
    ],
)
def test_a_cluster_is_meant_where_somebody_names_one(
    tmp_path: Path, given: dict[str, Any], environ: dict[str, str], config: str, why: str
) -> None:
    (tmp_path / "config.yaml").write_text(config)
    around = {"THV_CONFIG": str(tmp_path / "config.yaml"), **environ}
    found = settings(tmp_path, environ=around, **given)
    assert (found.on_cluster, found.why if found.on_cluster else "") == (bool(why), why)


def test_a_plugin_of_kubectl_means_its_cluster(tmp_path: Path) -> None:
    assert settings(tmp_path, "kubectl thv").on_cluster
    assert not settings(tmp_path, "kubectl thv", backend="local").on_cluster
    assert not settings(tmp_path, "kubectl thv", data="/d").on_cluster


def test_a_cluster_that_is_named_for_the_local_backend_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ThvError, match="--context is about a cluster"):
        settings(tmp_path, backend="local", context="prod")


def test_a_usual_kubeconfig_surprises_nobody(cli: Cli) -> None:
    cli.file(".kube/config", "clusters: [")
    assert 'no registries in the namespace "default"' in cli.ok("registry list").err
    assert f"registries are kept in {cli.data}" in cli.ok("registry list -v").err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("registry list --context x", "no cluster is configured"),
        ("registry list --kubeconfig /nowhere/k", "kubeconfig /nowhere/k does not exist"),
        ("search --kubeconfig k", 'no context "prod"; there is: lab'),
    ],
)
def test_a_cluster_that_is_not_known_ends_with_10(cli: Cli, line: str, said: str) -> None:
    cli.environ["THV_CONTEXT"] = "prod"
    path = cli.file("k", "contexts: [{name: lab, context: {cluster: lab}}]")
    ran = cli(line.replace("kubeconfig k", f"kubeconfig {path}"))
    assert (ran.code, ran.out) == (10, "")
    assert said in ran.err
    assert "Try:   kubectl config get-contexts" in ran.err


def test_a_cluster_that_does_not_answer_ends_with_10(cli: Cli) -> None:
    path = cli.file(
        "k",
        "current-context: x\n"
        "contexts: [{name: x, context: {cluster: x}}]\n"
        "clusters: [{name: x, cluster: {server: 'https://127.0.0.1:1'}}]\n",
    )
    ran = cli("registry", "list", "--kubeconfig", str(path))
    assert ran.code == 10
    assert "the cluster does not answer: no connection to https://127.0.0.1:1" in ran.err


@pytest.mark.parametrize("line", ["backup", "registry migrate r.json", "registry validate r.json"])
def test_commands_about_this_machine_ask_no_cluster(cli: Cli, line: str) -> None:
    path = cli.file("r.json", '{"servers": {}}')
    cli.environ["THV_KUBECONFIG"] = "/nowhere"
    assert "cluster" not in cli(line.replace("r.json", str(path))).err
