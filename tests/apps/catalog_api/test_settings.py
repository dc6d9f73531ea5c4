"""What the environment says to the catalog."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thv.apps.catalog_api.pod_settings import read_pod_settings
from thv.apps.catalog_api.settings import COMMUNITY, Settings, read_settings
from thv.domain.errors import ThvError

OURS = {
    "display_name": "Ours",
    "description": "What the platform team runs",
    "enforcement_recommended": True,
    "verification_criteria": ["Signed"],
}


def test_the_default_is_that_of_the_process() -> None:
    assert read_settings({}, anonymous_read=True) == Settings()
    assert not read_settings({}, anonymous_read=False).anonymous_read
    told = {"THV_CATALOG_ANONYMOUS_READ": "true"}
    assert read_settings(told, anonymous_read=False).anonymous_read


@pytest.mark.requirement("CAT-04")
def test_the_texts_of_a_class_may_be_told_alone(tmp_path: Path) -> None:
    file = tmp_path / "classes.json"
    file.write_text(json.dumps({"validated": OURS}))
    found = read_settings({"THV_CATALOG_CLASSES": str(file)}, anonymous_read=True).classes
    assert found.validated.verification_criteria == ("Signed",)
    assert found.community == COMMUNITY


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("THV_CATALOG_ANONYMOUS_READ", "yes", 'THV_CATALOG_ANONYMOUS_READ is "yes"'),
        ("THV_CATALOG_CLASSES", "/nowhere.json", "cannot read /nowhere.json"),
        ("THV_OFFICIAL_SCOPE", "some", 'THV_OFFICIAL_SCOPE is "some"'),
        ("THV_TRY_SOURCES", "url,file", 'THV_TRY_SOURCES is "file"'),
    ],
)
def test_a_value_that_none_may_have_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(ThvError) as refused:
        read_pod_settings({"POD_NAMESPACE": "system", name: value})
    assert said in refused.value.message
    assert refused.value.hint


@pytest.mark.requirement("REG-09")
def test_which_sources_are_tried_is_said_by_type() -> None:
    def tried(**environ: str) -> set[str]:
        return {*read_pod_settings({"POD_NAMESPACE": "system", **environ}).try_sources}

    assert tried() == {"configmap", "registry", "url"}
    assert tried(THV_TRY_SOURCES="url, git") == {"url", "git"}
    assert tried(THV_TRY_SOURCES="") == set()


def test_a_file_with_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "classes.json"
    file.write_text('{"trusted": {}}')
    with pytest.raises(ThvError, match="THV_CATALOG_CLASSES"):
        read_settings({"THV_CATALOG_CLASSES": str(file)}, anonymous_read=True)


def test_a_process_that_is_not_told_where_it_is_says_how() -> None:
    with pytest.raises(ThvError) as refused:
        read_pod_settings({})
    assert refused.value.hint == "Give --namespace NAMESPACE."
    found = read_pod_settings({}, namespace="system", listen="127.0.0.1:1")
    assert (found.audience, found.listen) == ("thv-catalog.system.svc", "127.0.0.1:1")


def test_a_pod_does_not_guess_where_an_issuer_sends_people_back() -> None:
    said = {"THV_OIDC_ISSUER": "https://login.example.com", "THV_OIDC_CLIENT_ID": "catalog"}
    with pytest.raises(ThvError, match="THV_PUBLIC_URL is not set"):
        read_pod_settings(said, namespace="system")
    said["THV_PUBLIC_URL"] = "https://catalog.example.com"
    assert read_pod_settings(said, namespace="system").sign_in
