"""What the charts render, without a cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.builders import registry
from tests.charts.helm import CHART, CHARTS, KINDS_CHART, Helm, Json
from thv import __version__
from thv.apps.catalog_api.pod_settings import TRIED, read_pod_settings
from thv.apps.kit.sign_in import SignIn
from thv.apps.operator.settings import read_settings
from thv.clients.http.proxy import Proxy
from thv.domain.registry import SourceType
from thv.formats.crd import registry_crd
from thv.formats.install import render
from thv.formats.install_catalog import render_catalog
from thv.formats.server_crd import server_crd, tool_config_crd
from thv.sync.serving.names import METRICS_PORT
from thv.sync.serving.pods import own_deployment, shared_deployment
from thv.sync.serving.settings import ApiSettings

pytestmark = [pytest.mark.flows, pytest.mark.requirement("OPS-04")]

OPERATOR = "toolhive-registry-operator"
MONITORED = ("metrics.podMonitor.enabled=true", "metrics.serviceMonitor.enabled=true")
CLUSTER_WIDE = frozenset(
    {
        *("Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    }
)


def values(*words: str) -> list[str]:
    return [part for word in words for part in ("--set", word)]


def named(objects: list[Json], kind: str, name: str = OPERATOR) -> Json:
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return found


def of_kind(objects: list[Json], kind: str) -> list[Json]:
    return [obj for obj in objects if obj["kind"] == kind]


def pods(objects: list[Json]) -> Iterator[Json]:
    for obj in objects:
        if obj["kind"] == "Deployment":
            yield obj["spec"]["template"]["spec"]
        elif obj["kind"] == "Pod":
            yield obj["spec"]


def environment(objects: list[Json]) -> dict[str, str]:
    (container,) = named(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def key(obj: Json) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]


# ---------------------------------------------------------------- one truth


def test_the_chart_installs_what_the_manifests_install(helm: Helm) -> None:
    rendered = {key(obj): obj for obj in helm.template(*values("crds.enabled=false"))}
    manifests = {key(obj): obj for obj in render() if obj["kind"] != "Namespace"}
    more = {("Service", OPERATOR), ("Pod", "toolhive-registry-test")}
    assert rendered.keys() - manifests.keys() == more
    for name, wanted in manifests.items():
        found = rendered[name]
        assert wanted["metadata"]["labels"].items() <= found["metadata"]["labels"].items()
        assert found["metadata"].get("namespace") == wanted["metadata"].get("namespace"), name
        assert _without_head(found) == _without_head(wanted), name


def _without_head(obj: Json) -> Json:
    return {name: part for name, part in obj.items() if name != "metadata"}


def test_the_kinds_stay_when_the_release_goes_unless_told(helm: Helm) -> None:
    for chart, keep in ((CHART, "crds.keep"), (KINDS_CHART, "keep")):
        (kept,) = of_kind(helm.template(chart=chart), "CustomResourceDefinition")
        assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert kept["spec"] == registry_crd()["spec"]
        (gone,) = of_kind(
            helm.template(*values(f"{keep}=false"), chart=chart), "CustomResourceDefinition"
        )
        assert "annotations" not in gone["metadata"]
    assert not of_kind(helm.template(*values("crds.enabled=false")), "CustomResourceDefinition")


def test_the_kinds_of_toolhive_come_when_they_are_asked_for(helm: Helm) -> None:
    found = helm.template(*values("toolhive.enabled=true"), chart=KINDS_CHART)
    specs = [obj["spec"] for obj in found]
    for crd in (registry_crd(), server_crd(), tool_config_crd()):
        assert crd["spec"] in specs


def test_no_kind_is_too_large_for_client_side_apply(helm: Helm) -> None:
    for crd in helm.template(*values("toolhive.enabled=true"), chart=KINDS_CHART):
        assert len(json.dumps(crd)) < 256 * 1024


def test_the_charts_have_the_version_of_the_product() -> None:
    for chart in (CHART, KINDS_CHART):
        about = yaml.safe_load((chart / "Chart.yaml").read_text())
        assert (about["version"], about["appVersion"]) == (__version__, __version__)


# ---------------------------------------------------------------- values


def test_helm_finds_nothing_wrong(helm: Helm) -> None:
    said = helm("lint", "--strict", str(CHART), str(KINDS_CHART))
    assert "0 chart(s) failed" in said
    everything = values(
        *MONITORED,
        *("metrics.rules.enabled=true", "metrics.dashboard.enabled=true", "operator.replicas=2"),
        *("api.tls.secretName=api-tls", "operator.tls.secretName=metrics-tls"),
        *("proxy.url=http://proxy:3128", "proxy.secretName=login", "trust.configMapName=roots"),
        *("rbac.scope=namespace", "rbac.clusterWide=false", "crds.enabled=false"),
    )
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), *everything)


def test_every_value_is_described_and_has_a_default() -> None:
    for chart in CHARTS.iterdir():
        schema = json.loads((chart / "values.schema.json").read_text())
        defaults = yaml.safe_load((chart / "values.yaml").read_text())
        assert _described(schema) == _given(schema, defaults), chart.name


def _described(schema: Json, before: str = "") -> set[str]:
    found: set[str] = set()
    for name, part in schema["properties"].items():
        nested = part.get("properties")
        assert nested or part.get("description"), name
        found |= _described(part, f"{before}{name}.") if nested else {f"{before}{name}"}
    return found


def _given(schema: Json, defaults: Json, before: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in defaults.items():
        part = schema["properties"][name]
        nested = part.get("properties")
        found |= _given(part, value, f"{before}{name}.") if nested else {f"{before}{name}"}
    return found


@pytest.mark.parametrize(
    ("word", "about"),
    [
        ("operator.replica=2", "replica"),
        ("rbac.scope=everything", "scope"),
        ("settings.allow={registry.example}", "allow"),
        ("settings.chunkGrace=soon", "chunkGrace"),
        ("settings.workers=0", "workers"),
        ("image.digest=latest", "digest"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("rbac.namespaces={Team}", "namespaces"),
        ("api.corsOrigins={*}", "corsOrigins"),
        ("api.tls.secretName=A_B", "secretName"),
        ("api.shared.replicas=0", "replicas"),
        ("api.resources.limit.memory=1Gi", "limit"),
        ("api.logLevel=LOUD", "logLevel"),
        ("traces.ratio=2", "ratio"),
        ("catalog.officialScope=some", "officialScope"),
        ("catalog.dashboard.oidc.issuer=http://login.example.com", "issuer"),
        ("catalog.dashboard.oidc.token=refresh_token", "token"),
        ("catalog.dashboard.oidc.scopes={email}", "scopes"),
        ("catalog.dashboard.publicUrl=https://a.example/catalog", "publicUrl"),
        ("proxy.url=http://me:secret@proxy.corp", "url"),
    ],
)
def test_a_wrong_value_is_refused_by_name(helm: Helm, word: str, about: str) -> None:
    done = helm.run("template", "x", str(CHART), *values(word))
    assert done.returncode != 0
    assert about in done.stderr


def test_a_value_becomes_a_setting_of_the_operator(helm: Helm) -> None:
    found = environment(
        helm.template(
            *values(
                "settings.workers=8",
                "settings.allow={git.corp:443,10.0.0.1:80}",
                "settings.fetchBackoff=500ms",
                "settings.chunkGrace=20m",
                "settings.chunkMiB=256",
                "settings.logLevel=DEBUG",
                "settings.logFormat=json",
                "proxy.url=http://proxy.corp:3128",
                "proxy.noProxy={.svc,10.0.0.0/8}",
                "trust.configMapName=corp-roots",
                "traces.endpoint=http://collector:4318",
                "traces.ratio=0",
                "traces.namespaceLabels.team=monitoring",
                "api.mode=shared",
                "api.tls.secretName=api-tls",
                "api.corsOrigins={https://a.example,https://b.example}",
                "api.acceptClusterAudience=true",
                "api.accessLog=false",
                "api.logLevel=WARNING",
                "api.shared.replicas=2",
                "dns.namespace=dns",
                "dns.podLabels.app=names",
                "dns.addresses={169.254.20.10/32}",
                r"metrics.namespaceLabels.kubernetes\.io/metadata\.name=monitoring",
                "rbac.namespaces={one,two}",
                "image.pullPolicy=Always",
            )
        )
    )
    assert (
        found.items()
        >= {
            "THV_WORKERS": "8",
            "THV_ALLOW": "git.corp:443,10.0.0.1:80",
            "THV_FETCH_BACKOFF": "500ms",
            "THV_CHUNK_GRACE": "20m",
            "THV_CHUNK_MIB": "256",
            "THV_LOG_LEVEL": "DEBUG",
            "THV_LOG_FORMAT": "json",
            "THV_PROXY": "http://proxy.corp:3128",
            "THV_NO_PROXY": ".svc,10.0.0.0/8",
            "THV_TRUST": "/trust/ca.crt",
            "THV_TRACES": "http://collector:4318",
            "THV_TRACES_RATIO": "0",
            "THV_TRACES_NAMESPACES": "team=monitoring",
            "THV_API_MODE": "shared",
            "THV_API_TLS_SECRET": "api-tls",
            "THV_API_CORS_ORIGINS": "https://a.example,https://b.example",
            "THV_API_ACCEPT_CLUSTER_AUDIENCE": "true",
            "THV_API_ACCESS_LOG": "false",
            "THV_API_LOG_LEVEL": "WARNING",
            "THV_API_SHARED_REPLICAS": "2",
            "THV_DNS_NAMESPACE": "dns",
            "THV_DNS_PODS": "app=names",
            "THV_DNS_ADDRESSES": "169.254.20.10/32",
            "THV_METRICS_NAMESPACES": "kubernetes.io/metadata.name=monitoring",
            "THV_NAMESPACES": "one,two",
            "THV_IMAGE_PULL_POLICY": "Always",
        }.items()
    )


def test_details_of_api_pods_are_what_the_operator_makes_of_them(helm: Helm) -> None:
    words = values(
        "api.resources.requests.cpu=1",
        "api.shared.resources.limits.memory=3Gi",
        "api.podLabels.team=platform",
        "api.podAnnotations.note=x",
        "api.nodeSelector.pool=apps",
        "api.tolerations[0].key=apps",
        "api.affinity.nodeAffinity.x=y",
        "api.topologySpreadConstraints[0].topologyKey=rack",
        "api.priorityClassName=high",
    )
    settings = read_settings(environment(helm.template(*words))).api("toolhive-system")
    (own, shared) = (
        deployment["spec"]["template"]
        for deployment in (
            own_deployment(registry(), settings),
            shared_deployment("team", settings),
        )
    )
    for made in (own, shared):
        pod = made["spec"]
        assert made["metadata"]["labels"]["team"] == "platform"
        assert made["metadata"]["annotations"] == {"note": "x"}
        assert pod["nodeSelector"] == {"pool": "apps"}
        assert pod["tolerations"] == [{"key": "apps"}]
        assert pod["affinity"] == {"nodeAffinity": {"x": "y"}}
        assert pod["topologySpreadConstraints"][0]["topologyKey"] == "rack"
        assert pod["priorityClassName"] == "high"
    assert own["spec"]["containers"][0]["resources"] == {"requests": {"cpu": 1}}
    assert shared["spec"]["containers"][0]["resources"] == {"limits": {"memory": "3Gi"}}


def test_every_setting_of_the_operator_can_be_given() -> None:
    page = (CHART.parents[1] / "docs/reference/settings.md").read_text()
    operator = page.partition("## `thv registry-api`")[0]
    settings = set(re.findall(r"THV_[A-Z_]+", operator)) - {"THV_LISTEN_OPERATIONS"}
    templates = "".join(
        file.read_text() for file in (CHART / "templates").iterdir() if file.is_file()
    )
    assert {name for name in settings if name not in templates} == set()


def test_settings_that_are_not_given_are_left_to_the_operator(helm: Helm) -> None:
    assert {name for name in environment(helm.template()) if name.startswith("THV_")} == {
        "THV_IMAGE",
        "THV_DATA",
    }


# ---------------------------------------------------------------- images


def test_one_value_moves_every_image(helm: Helm) -> None:
    words = values("global.imageRegistry=registry.corp:5000/mirror", "operator.replicas=2")
    objects = helm.template(*words)
    images = {each["image"] for pod in pods(objects) for each in pod["containers"]}
    wanted = f"registry.corp:5000/mirror/toolhive-registry:{__version__}"
    assert images == {wanted}
    assert environment(objects)["THV_IMAGE"] == wanted
    others = re.findall(r"toolhive-registry:\d[\w.]*", json.dumps(objects))
    assert len(others) == json.dumps(objects).count(wanted)


def test_a_digest_wins_over_a_tag(helm: Helm) -> None:
    digest = "sha256:" + "ab" * 32
    objects = helm.template(
        *values(f"image.digest={digest}", "image.tag=latest", "image.registry=r.io")
    )
    assert environment(objects)["THV_IMAGE"] == f"r.io/toolhive-registry@{digest}"


@pytest.mark.parametrize(
    "given", ["global.imagePullSecrets={pull,other}", "global.imagePullSecrets[0].name=pull"]
)
def test_pull_secrets_reach_the_pods_that_the_operator_makes(helm: Helm, given: str) -> None:
    objects = helm.template(*values(given))
    secrets = environment(objects)["THV_IMAGE_PULL_SECRETS"].split(",")
    assert secrets[0] == "pull"
    for pod in pods(objects):
        assert [each["name"] for each in pod["imagePullSecrets"]] == secrets


# ---------------------------------------------------------------- rights


def test_limited_to_namespaces_it_may_do_nothing_elsewhere(helm: Helm) -> None:
    words = ("rbac.scope=namespace", "rbac.namespaces={one,two}", "rbac.clusterWide=false")
    objects = helm.template(*values(*words, "crds.enabled=false"))
    assert not {obj["kind"] for obj in objects} & CLUSTER_WIDE
    places = {obj["metadata"]["namespace"] for obj in of_kind(objects, "RoleBinding")}
    assert places == {"toolhive-system", "one", "two"}
    assert environment(objects)["THV_NAMESPACES"] == "one,two"


def test_limited_to_namespaces_it_has_the_same_rights_there(helm: Helm) -> None:
    def rules(*words: str) -> list[str]:
        roles = [
            obj
            for obj in helm.template(*values(*words))
            if obj["kind"] in ("Role", "ClusterRole")
            and obj["metadata"]["name"] in (OPERATOR, "toolhive-registry-api-server")
        ]
        return sorted(json.dumps(rule, sort_keys=True) for obj in roles for rule in obj["rules"])

    assert rules("rbac.scope=namespace") == rules()


def test_limited_to_namespaces_only_tokens_are_checked_everywhere(helm: Helm) -> None:
    objects = helm.template(*values("rbac.scope=namespace"))
    bound = {obj["roleRef"]["name"] for obj in of_kind(objects, "ClusterRoleBinding")}
    assert bound == {OPERATOR, "toolhive-registry-api-auth"}
    touched = {r for rule in named(objects, "ClusterRole")["rules"] for r in rule["resources"]}
    assert touched == {"tokenreviews", "subjectaccessreviews", "clusterrolebindings"}


# ---------------------------------------------------------------- pods and networks


def test_one_replica_needs_no_budget_and_no_spread(helm: Helm) -> None:
    objects = helm.template()
    assert not of_kind(objects, "PodDisruptionBudget")
    assert "topologySpreadConstraints" not in next(pods(objects))


def test_several_replicas_are_spread_and_drained_one_by_one(helm: Helm) -> None:
    objects = helm.template(*values("operator.replicas=2"))
    deployment = named(objects, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    constraints = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    budget = named(objects, "PodDisruptionBudget")["spec"]
    assert [each["topologyKey"] for each in constraints] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    for each in [*constraints, {"labelSelector": budget["selector"]}]:
        assert each["labelSelector"]["matchLabels"].items() <= labels.items()
    assert budget["maxUnavailable"] == 1


CATALOG = "thv-catalog"
OIDC = "catalog.dashboard.oidc"


@pytest.mark.requirement("OPS-08")
def test_services_say_what_is_spoken(helm: Helm) -> None:
    """A mesh that has to guess takes HTTPS for anything."""

    def spoken(*words: str) -> dict[str, str]:
        services = of_kind(helm.template(*values("catalog.enabled=true", *words)), "Service")
        return {o["metadata"]["name"]: o["spec"]["ports"][0]["appProtocol"] for o in services}

    assert spoken() == {OPERATOR: "http", CATALOG: "http"}
    assert spoken("operator.tls.secretName=tls") == {OPERATOR: "https", CATALOG: "http"}


@pytest.mark.requirement("OPS-08")
def test_the_pod_that_asks_ends_in_a_mesh_too(helm: Helm) -> None:
    """The proxy that a mesh puts beside a pod would go on."""
    about = named(helm.template(), "Pod", "toolhive-registry-test")["metadata"]
    assert about["labels"]["sidecar.istio.io/inject"] == "false"
    assert about["annotations"]["linkerd.io/inject"] == "disabled"


def test_the_catalog_comes_when_it_is_asked_for(helm: Helm) -> None:
    assert not [o for o in helm.template() if o["metadata"]["name"] == CATALOG]
    order = "catalog.registryOrder={prod/corp,prod/team}"
    found = helm.template(*values("catalog.enabled=true", order, "image.pullPolicy=Always"))
    there = {(each["kind"], each["metadata"]["name"]) for each in found}
    assert {(each["kind"], each["metadata"]["name"]) for each in render_catalog()} <= there
    pod = named(found, "Deployment", CATALOG)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (operator,) = named(found, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == operator["image"]
    assert container["imagePullPolicy"] == "Always"
    given = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    settings = read_pod_settings({**given, "POD_NAMESPACE": "system"})
    assert settings.registry_order == ("prod/corp", "prod/team")
    assert (settings.official_scope, settings.catalog.anonymous_read) == ("trusted", False)
    pulled = helm.template(*values("catalog.enabled=true", "global.imagePullSecrets={key}"))
    pod = named(pulled, "Deployment", CATALOG)["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "key"}]


REACHED = (
    *("catalog.enabled=true", "settings.allow={10.0.0.5:8443}", "trust.configMapName=roots"),
    *("proxy.url=http://proxy.corp:3128", "proxy.secretName=proxy"),
)


def told(objects: list[Json], name: str) -> dict[str, str]:
    """What the environment of a process says in words."""
    (container,) = named(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


@pytest.mark.requirement("REG-09")
def test_sources_are_tried_as_the_operator_reads_them(helm: Helm) -> None:
    rule = "networkPolicy.egress[0].to[0].ipBlock.cidr=10.0.0.0/8"
    for found in (helm.template(*values(*REACHED)), helm.template(*values(*REACHED, rule))):
        ours = read_pod_settings({**told(found, CATALOG), "POD_NAMESPACE": "system"})
        theirs = read_settings(told(found, OPERATOR))
        assert (ours.allow, ours.proxy, ours.trust) == (theirs.allow, theirs.proxy, theirs.trust)
        assert ours.allow
        assert ours.try_sources == TRIED
        pod = named(found, "Deployment", CATALOG)["spec"]["template"]["spec"]
        assert {"name": "trust", "mountPath": "/trust", "readOnly": True} in pod["containers"][0][
            "volumeMounts"
        ]
        assert "trust" in {each["name"] for each in pod["volumes"]}
        _, *operators = named(found, "NetworkPolicy")["spec"]["egress"]
        _, _, *catalogs = named(found, "NetworkPolicy", CATALOG)["spec"]["egress"]
        assert catalogs == operators != []


@pytest.mark.requirement("REG-09")
def test_the_catalog_reaches_no_source_where_none_is_tried(helm: Helm) -> None:
    for types, tried in (("[]", set()), ("null", set()), ('["configmap"]', {SourceType.CONFIGMAP})):
        found = helm.template(*values(*REACHED), "--set-json", f"catalog.trySources={types}")
        given = told(found, CATALOG)
        assert read_pod_settings({**given, "POD_NAMESPACE": "system"}).try_sources == tried
        policy = named(found, "NetworkPolicy", CATALOG)["spec"]
        assert [list(each) for each in policy["egress"]] == [["ports"], ["ports"]]
        assert bool(tried) == ("THV_ALLOW" in given) == ("THV_TRUST" in given)
    done = helm.run("template", "x", str(CHART), *values("catalog.trySources={file}"))
    assert done.returncode != 0
    assert "trySources" in done.stderr


@pytest.mark.requirement("OPS-01")
def test_people_sign_in_at_an_issuer_that_is_asked_for(helm: Helm, tmp_path: Path) -> None:
    asked = (
        *("catalog.enabled=true", "catalog.acceptClusterAudience=true"),
        *("catalog.dashboard.publicUrl=https://catalog.example.com", "trust.configMapName=roots"),
        *(f"{OIDC}.issuer=https://login.example.com:8443/people", f"{OIDC}.clientId=catalog"),
        *("proxy.url=http://proxy.corp:3128", "proxy.secretName=proxy"),
        *(f"{OIDC}.secretName=oidc", f"{OIDC}.scopes={{openid,groups}}", f"{OIDC}.name=Example ID"),
    )
    found = helm.template(*values(*asked))
    pod = named(found, "Deployment", CATALOG)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    given = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["oidc"]["secret"]["secretName"] == "oidc"
    assert volumes["trust"]["configMap"]["name"] == "roots"
    (item,) = volumes["oidc"]["secret"]["items"]
    assert given["THV_OIDC_CLIENT_SECRET_FILE"] == f"{mounts['oidc']}/{item['path']}"
    assert given["THV_TRUST"] == f"{mounts['trust']}/ca.crt"
    secret = tmp_path / "secret"
    secret.write_text("x")
    there = given | {"THV_OIDC_CLIENT_SECRET_FILE": str(secret), "POD_NAMESPACE": "system"}
    settings = read_pod_settings(there)
    assert settings.accept_cluster_audience
    assert settings.sign_in == SignIn(
        issuer="https://login.example.com:8443/people",
        client_id="catalog",
        client_secret=secret,
        scopes="openid groups",
        label="Example ID",
        public_url="https://catalog.example.com",
        trust=Path("/trust/ca.crt"),
        proxy=Proxy.parse("http://proxy.corp:3128", direct=(".svc", ".cluster.local")),
    )
    secrets = [
        each["valueFrom"] for each in container["env"] if each["name"].startswith("THV_PROXY_")
    ]
    assert [each["secretKeyRef"]["name"] for each in secrets] == ["proxy", "proxy"]
    egress = named(found, "NetworkPolicy", CATALOG)["spec"]["egress"]
    assert [each["port"] for each in egress[1]["ports"]] == [443, 6443, 8443, 3128]
    for missing in ("catalog.dashboard.publicUrl=", f"{OIDC}.clientId="):
        done = helm.run("template", "x", str(CHART), *values(*asked, missing))
        assert done.returncode != 0
        assert missing.rstrip("=") in done.stderr


def test_every_pod_is_locked_down(helm: Helm) -> None:
    for pod in pods(helm.template(*values("catalog.enabled=true"))):
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_whom_the_operator_reaches_can_be_narrowed(helm: Helm) -> None:
    rule = "networkPolicy.egress[0].to[0].ipBlock.cidr=10.0.0.0/8"
    peer = "networkPolicy.ingressFrom[0].namespaceSelector.matchLabels.team=monitoring"
    policy = named(helm.template(*values(rule, peer)), "NetworkPolicy")["spec"]
    _, sources = policy["egress"]
    assert sources == {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    (entered,) = policy["ingress"]
    assert entered["from"] == [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}]


def test_details_of_the_pod_can_be_chosen(helm: Helm) -> None:
    pod = next(
        pods(
            helm.template(
                *values(
                    "operator.priorityClassName=system-cluster-critical",
                    "operator.nodeSelector.disk=ssd",
                    "operator.tolerations[0].key=dedicated",
                    "operator.affinity.nodeAffinity.x=y",
                    "operator.topologySpreadConstraints[0].topologyKey=rack",
                    "operator.extraEnv[0].name=GIT_TRACE",
                    "operator.extraEnv[0].value=yes",
                )
            )
        )
    )
    assert pod["priorityClassName"] == "system-cluster-critical"
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["tolerations"] == [{"key": "dedicated"}]
    assert pod["affinity"] == {"nodeAffinity": {"x": "y"}}
    assert pod["topologySpreadConstraints"] == [{"topologyKey": "rack"}]
    assert {"name": "GIT_TRACE", "value": "yes"} in pod["containers"][0]["env"]


# ---------------------------------------------------------------- ways to sources


def test_credentials_of_a_proxy_come_from_a_secret(helm: Helm) -> None:
    words = values("proxy.url=http://proxy.corp:3128", "proxy.secretName=proxy-login")
    (container,) = named(helm.template(*words), "Deployment")["spec"]["template"]["spec"][
        "containers"
    ]
    found = {each["name"]: each.get("valueFrom") for each in container["env"]}
    for name, key in (("THV_PROXY_USERNAME", "username"), ("THV_PROXY_PASSWORD", "password")):
        assert found[name] == {"secretKeyRef": {"name": "proxy-login", "key": key}}


def test_trust_roots_are_mounted_from_a_configmap(helm: Helm) -> None:
    words = values("trust.configMapName=corp-roots", "trust.key=bundle.pem")
    pod = named(helm.template(*words), "Deployment")["spec"]["template"]["spec"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "trust"]
    items = [{"key": "bundle.pem", "path": "ca.crt"}]
    assert volume["configMap"] == {"name": "corp-roots", "items": items}
    mount = {"name": "trust", "mountPath": "/trust", "readOnly": True}
    assert mount in pod["containers"][0]["volumeMounts"]


# ---------------------------------------------------------------- TLS


def test_with_a_secret_everything_that_asks_the_operator_speaks_https(helm: Helm) -> None:
    objects = helm.template(*values(*MONITORED, "operator.tls.secretName=metrics-tls"))
    pod = named(objects, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    assert [probe["scheme"] for probe in probes] == ["HTTPS"] * 3
    assert {"name": "tls", "secret": {"secretName": "metrics-tls", "defaultMode": 0o440}} in pod[
        "volumes"
    ]
    found = environment(objects)
    assert (found["THV_TLS_CERT"], found["THV_TLS_KEY"]) == ("/tls/tls.crt", "/tls/tls.key")
    assert (
        "https://"
        in named(objects, "Pod", "toolhive-registry-test")["spec"]["containers"][0]["args"][0]
    )
    (end,) = named(objects, "ServiceMonitor")["spec"]["endpoints"]
    assert end["scheme"] == "https"
    assert schemes(objects) == {OPERATOR: "https", "toolhive-registry-api": "http"}


def test_apis_with_a_certificate_are_scraped_over_https(helm: Helm) -> None:
    verified = "metrics.podMonitor.tlsConfig.serverName=apis.corp"
    words = values(*MONITORED, "api.tls.secretName=api-tls", verified)
    objects = helm.template(*words)
    assert schemes(objects) == {OPERATOR: "http", "toolhive-registry-api": "https"}
    monitor = named(objects, "PodMonitor", "toolhive-registry-api")
    (end,) = monitor["spec"]["podMetricsEndpoints"]
    assert end["tlsConfig"] == {"insecureSkipVerify": True, "serverName": "apis.corp"}


def schemes(objects: list[Json]) -> dict[str, str]:
    """By which each PodMonitor asks."""
    return {
        monitor["metadata"]["name"]: end.get("scheme", "http")
        for monitor in of_kind(objects, "PodMonitor")
        for end in monitor["spec"]["podMetricsEndpoints"]
    }


# ---------------------------------------------------------------- monitoring


def test_nothing_needs_the_prometheus_operator_unless_asked(helm: Helm) -> None:
    assert not [o for o in helm.template() if o["apiVersion"].startswith("monitoring")]


def test_monitors_find_the_port_with_the_metrics(helm: Helm) -> None:
    objects = helm.template(*values(*MONITORED))
    settings = ApiSettings(image="x")
    seen = {
        OPERATOR: [named(objects, "Deployment")],
        "toolhive-registry-api": [
            own_deployment(registry(), settings),
            shared_deployment("team", settings),
        ],
    }
    monitors = of_kind(objects, "PodMonitor")
    assert {each["metadata"]["name"] for each in monitors} == set(seen)
    for monitor in monitors:
        (end,) = monitor["spec"]["podMetricsEndpoints"]
        for deployment in seen[monitor["metadata"]["name"]]:
            assert _selects(monitor, deployment)
            assert _port(deployment, end["port"]) == METRICS_PORT


def _selects(monitor: Json, deployment: Json) -> bool:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    wanted = monitor["spec"]["selector"]["matchExpressions"]
    return all(labels.get(each["key"]) in each["values"] for each in wanted)


def _port(deployment: Json, name: str) -> int:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (found,) = [port["containerPort"] for port in container["ports"] if port["name"] == name]
    return int(found)


def test_a_service_monitor_finds_the_service(helm: Helm) -> None:
    objects = helm.template(*values(*MONITORED))
    monitor, service = named(objects, "ServiceMonitor"), named(objects, "Service")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    (end,), (port,) = monitor["spec"]["endpoints"], service["spec"]["ports"]
    assert end["port"] == port["name"]


def test_monitors_look_where_registries_are_looked_after(helm: Helm) -> None:
    everywhere = helm.template(*values(*MONITORED))
    some = helm.template(*values(*MONITORED, "rbac.namespaces={one,two}"))
    name = "toolhive-registry-api"
    assert named(everywhere, "PodMonitor", name)["spec"]["namespaceSelector"] == {"any": True}
    found = named(some, "PodMonitor", name)["spec"]["namespaceSelector"]
    assert found == {"matchNames": ["one", "two"]}


def test_labels_let_a_prometheus_select_what_is_its(helm: Helm) -> None:
    words = [f"metrics.{each}.labels.release=prom" for each in ("podMonitor", "serviceMonitor")]
    for obj in helm.template(*values(*MONITORED, *words)):
        if obj["apiVersion"].startswith("monitoring"):
            assert obj["metadata"]["labels"]["release"] == "prom"


def test_alerts_and_dashboard_come_when_asked_for(helm: Helm) -> None:
    words = values("metrics.rules.enabled=true", "metrics.dashboard.enabled=true")
    objects = helm.template(*words)
    alerts, dashboard = CHART / "files" / "alerts.yaml", CHART / "files" / "dashboard.json"
    rules = [obj["spec"] for obj in of_kind(objects, "PrometheusRule")]
    shown = [
        json.loads(obj["data"]["toolhive-registry.json"])
        for obj in of_kind(objects, "ConfigMap")
        if obj["metadata"]["labels"]["grafana_dashboard"] == "1"
    ]
    assert rules == _documents(alerts)
    assert shown == _documents(dashboard)


def _documents(file: Path) -> list[Json]:
    return [yaml.safe_load(file.read_text())] if file.exists() else []
