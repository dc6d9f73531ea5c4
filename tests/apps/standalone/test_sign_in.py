"""Whether people can sign in at an issuer is known before anything is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.kit.access_files import Written
from tests.apps.standalone.process import run
from thv.apps.cli.engine import EngineSettings
from thv.apps.kit.sign_in import Sent, SignIn
from thv.apps.registry_api.settings import Settings as ApiSettings
from thv.apps.standalone.settings import Settings
from thv.apps.standalone.sign_in import require_sign_in
from thv.domain.errors import ThvError
from thv.formats.tokens import Issuer

ISSUER, CLIENT = "https://login.example.com", "catalog"


def settings(
    folder: Path,
    *issuers: Issuer,
    sent: Sent = "id_token",
    public: str = "",
    any_host: bool = False,
) -> Settings:
    return Settings(
        api=ApiSettings(any_host=any_host),
        engine=EngineSettings(),
        access_file=Written(folder / "tokens.yaml", issuers=issuers).path,
        sign_in=SignIn(issuer=ISSUER, client_id=CLIENT, sent=sent, public_url=public),
    )


def test_an_access_file_that_takes_its_tokens_is_enough(tmp_path: Path) -> None:
    require_sign_in(settings(tmp_path, Issuer(url=ISSUER, audiences=("x", CLIENT))))
    other = Issuer(url=ISSUER, audiences=("api",))
    require_sign_in(settings(tmp_path, other, sent="access_token"))
    require_sign_in(Settings(api=ApiSettings(), engine=EngineSettings()))


@pytest.mark.parametrize(
    "issuer",
    [Issuer(url=ISSUER, audiences=("other",)), Issuer(url=f"{ISSUER}/", audiences=(CLIENT,))],
    ids=["another client", "another issuer"],
)
def test_one_that_does_not_says_what_is_missing(tmp_path: Path, issuer: Issuer) -> None:
    with pytest.raises(ThvError) as caught:
        require_sign_in(settings(tmp_path, issuer))
    assert f"does not take tokens of {ISSUER} for {CLIENT}" in caught.value.message
    assert f"issuers: [{{url: {ISSUER}, audiences: [{CLIENT}]}}]" in caught.value.hint


def test_where_browsers_find_a_server_of_a_network_must_be_said(tmp_path: Path) -> None:
    issuer = Issuer(url=ISSUER, audiences=(CLIENT,))
    with pytest.raises(ThvError, match="where browsers find us is not known"):
        require_sign_in(settings(tmp_path, issuer, any_host=True))
    public = "https://catalog.example.com"
    require_sign_in(settings(tmp_path, issuer, any_host=True, public=public))


def test_the_command_says_so_and_ends(tmp_path: Path) -> None:
    flags = ("--oidc-issuer", ISSUER, "--oidc-client-id", CLIENT)
    done = run(tmp_path, "--data", "data", "serve", "--port", "0", *flags)
    assert done.returncode == 2
    assert f"people sign in at {ISSUER}, and no access file says what they may do" in done.stderr
    assert "--token-file" in done.stderr
