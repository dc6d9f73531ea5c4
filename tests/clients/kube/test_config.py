"""Which cluster is meant, and as whom."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from thv.clients.kube.config import Access, Acting, connect, find_access, from_environment
from thv.clients.kube.errors import KubeConfigError
from thv.domain.canonical import JsonObject

NOWHERE = Path("/nowhere")


def a_kubeconfig(path: Path, name: str, *, current: bool = True, **user: object) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example:6443"}}],
        "users": [{"name": name, "user": {"token": name, **user}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{name}"}},
            {"name": f"{name}-anonymous", "context": {"cluster": name}},
        ],
        **({"current-context": name} if current else {}),
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("secret")
    (folder / "namespace").write_text("toolhive-system\n")
    (folder / "ca.crt").write_text("no certificate")
    return folder


IN_POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def test_a_pod_uses_its_service_account(pod: Path) -> None:
    access = find_access(IN_POD, service_account=pod)
    assert access.cluster == {
        "server": "https://10.0.0.1:443",
        "certificate-authority": str(pod / "ca.crt"),
    }
    assert access.user == {"tokenFile": str(pod / "token")}
    assert access.namespace == "toolhive-system"


def test_an_ipv6_address_of_the_service_is_bracketed(pod: Path) -> None:
    access = find_access({**IN_POD, "KUBERNETES_SERVICE_HOST": "fd00::1"}, service_account=pod)
    assert access.cluster["server"] == "https://[fd00::1]:443"


def test_a_kubeconfig_that_is_named_wins_over_the_pod(pod: Path, tmp_path: Path) -> None:
    named = a_kubeconfig(tmp_path / "one", "one")
    for environ, kubeconfig in (
        ({**IN_POD, "KUBECONFIG": str(named)}, ""),
        ({**IN_POD, "KUBECONFIG": "/nowhere"}, str(named)),
    ):
        access = find_access(environ, kubeconfig=kubeconfig, service_account=pod)
        assert access.cluster["server"] == "https://one.example:6443"
        assert access.namespace == "ns-one"


def test_the_usual_kubeconfig_comes_last(pod: Path, tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    a_kubeconfig(tmp_path / ".kube" / "config", "usual")
    environ = {"HOME": str(tmp_path)}
    assert find_access(environ, service_account=NOWHERE).user == {"token": "usual"}
    assert find_access({**environ, **IN_POD}, service_account=pod).user["tokenFile"]


def test_a_context_is_chosen_by_name(tmp_path: Path) -> None:
    named = a_kubeconfig(tmp_path / "one", "one")
    access = find_access({}, kubeconfig=str(named), context="one-anonymous")
    assert access.user == {}
    assert access.namespace == "default"


def test_several_kubeconfigs_are_joined_and_the_first_wins(tmp_path: Path) -> None:
    one = a_kubeconfig(tmp_path / "one", "one", current=False)
    two = a_kubeconfig(tmp_path / "two", "two")
    a_kubeconfig(tmp_path / "three", "one", password="x")
    joined = ":".join([str(one), "/nowhere", str(two), str(tmp_path / "three")])
    assert find_access({"KUBECONFIG": joined}).user == {"token": "two"}
    assert find_access({"KUBECONFIG": joined}, context="one").user == {"token": "one"}


def test_files_are_found_from_the_folder_of_their_kubeconfig(tmp_path: Path) -> None:
    user: JsonObject = {
        "client-certificate": "me.crt",
        "client-key": "/abs/me.key",
        "exec": {"command": "./bin/login"},
    }
    access = find_access({}, kubeconfig=str(a_kubeconfig(tmp_path / "one", "one", **user)))
    assert access.user["client-certificate"] == str(tmp_path / "me.crt")
    assert access.user["client-key"] == "/abs/me.key"
    assert access.user["exec"] == {"command": str(tmp_path / "bin" / "login")}


# ---------------------------------------------------------------- what cannot be used


def _refusal(tmp_path: Path, text: str, context: str = "") -> str:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeConfigError) as error:
        from_environment({}, kubeconfig=str(path), context=context)
    return error.value.message


def test_no_cluster_at_all_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(KubeConfigError, match=r"KUBECONFIG is not set, .*/\.kube/config does not"):
        find_access({"HOME": str(tmp_path)}, service_account=NOWHERE)


def test_a_kubeconfig_that_is_missing_is_named() -> None:
    for environ, kubeconfig in (({}, "/nowhere/config"), ({"KUBECONFIG": "/nowhere/config"}, "")):
        with pytest.raises(KubeConfigError, match="/nowhere/config does not exist"):
            find_access(environ, kubeconfig=kubeconfig)


@pytest.mark.parametrize("text", ["", "[]", "a: [", "\x00"])
def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    assert "kubeconfig" in _refusal(tmp_path, text)


def test_an_unknown_context_is_told_with_those_there_are(tmp_path: Path) -> None:
    text = a_kubeconfig(tmp_path / "one", "one").read_text()
    assert _refusal(tmp_path, text, "two").endswith(
        'no context "two"; there is: one, one-anonymous'
    )
    without = text.replace("current-context", "old-context")
    assert "no context is current" in _refusal(tmp_path, without)


def test_a_context_that_names_what_is_not_there_is_refused(tmp_path: Path) -> None:
    text = a_kubeconfig(tmp_path / "one", "one").read_text()
    assert 'no user "me"' in _refusal(tmp_path, text.replace("user: one", "user: me"))
    assert 'no cluster "x"' in _refusal(tmp_path, text.replace("cluster: one", "cluster: x"))


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"as-groups": ["admins"]}, "must name a user"),
        ({"as": ["system:admin"]}, "as"),
        ({"auth-provider": {"name": "gcp"}}, "auth-provider not supported"),
        ({"exec": {"command": "aws", "apiVersion": "example.com/v1"}}, "example.com/v1, known is"),
        ({"exec": {"apiVersion": "x", "args": ["get-token"]}}, "command"),
        (
            {"client-certificate": "/nowhere/me.crt", "client-key": "/nowhere/me.key"},
            "certificates",
        ),
        ({"client-certificate-data": "%%%", "client-key-data": "%%%"}, "certificates"),
    ],
)
def test_a_user_that_cannot_be_used_is_refused(user: JsonObject, why: str) -> None:
    access = Access(cluster={"server": "https://one.example"}, user=user, origin="the test")
    with pytest.raises(KubeConfigError, match=f"the test: .*{why}"):
        connect(access, {})


def test_a_message_never_shows_a_token() -> None:
    access = Access(cluster={"server": 5}, user={"token": "hunter2"}, origin="the test")
    with pytest.raises(KubeConfigError) as error:
        connect(access, {})
    assert "hunter2" not in error.value.message


def test_whoever_acts_as_somebody_else_says_so_with_every_request() -> None:
    user: JsonObject = {
        "token": "t",
        "as": "jane",
        "as-uid": "7",
        "as-groups": ["readers", "team a"],
        "as-user-extra": {"example.com/scopes": ["read", "list"]},
    }
    assert _impersonation(user) == [
        ("Impersonate-User", "jane"),
        ("Impersonate-Group", "readers"),
        ("Impersonate-Group", "team a"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Extra-example.com%2Fscopes", "read"),
        ("Impersonate-Extra-example.com%2Fscopes", "list"),
    ]
    assert _impersonation(user, Acting(user="joe")) == [("Impersonate-User", "joe")]
    assert _impersonation({"token": "t"}) == []


def _impersonation(user: JsonObject, acting: Acting = Acting()) -> list[tuple[str, str]]:  # noqa: B008
    access = Access(cluster={"server": "https://one.example"}, user=user, origin="the test")
    headers = connect(access, {}, acting=acting)._http.headers.raw
    pairs = [(key.decode(), value.decode()) for key, value in headers]
    return [pair for pair in pairs if pair[0].startswith("Impersonate")]
