"""Whether people can sign in at the issuer that the settings name.

In the flow: before anything is served, so that nobody learns it at the end of a sign-in.
"""

from __future__ import annotations

from thv.apps.kit.sign_in import SignIn
from thv.apps.kit.tokens import read_access
from thv.apps.standalone.settings import Settings
from thv.domain.errors import Code, ThvError
from thv.formats.tokens import AccessFile


def require_sign_in(settings: Settings) -> None:
    """Raises INVALID where whoever signs in at the issuer would not be let in."""
    sign_in = settings.sign_in
    if sign_in is None:
        return
    if settings.access_file is None:
        raise ThvError(
            Code.INVALID,
            f"people sign in at {sign_in.issuer}, and no access file says what they may do",
            hint=f"Name one with --token-file, with {_entry(sign_in)} in it and bindings for its groups.",
        )
    if not _is_named(read_access(settings.access_file), sign_in):
        raise ThvError(
            Code.INVALID,
            f"the access file {settings.access_file} does not take tokens of {sign_in.issuer} for {sign_in.client_id}",
            hint=f"Put {_entry(sign_in)} into it.",
        )
    if settings.api.any_host and not sign_in.public_url:
        raise ThvError(
            Code.INVALID,
            f"{sign_in.issuer} must send people back, and where browsers find us is not known",
            hint="Give --public-url https://NAME, or name the hosts that are ours with --allowed-host.",
        )


def _is_named(access: AccessFile, sign_in: SignIn) -> bool:
    """An access token may be for somebody else than the client."""
    return any(
        issuer.url == sign_in.issuer
        and (sign_in.sent == "access_token" or sign_in.client_id in issuer.audiences)
        for issuer in access.issuers
    )


def _entry(sign_in: SignIn) -> str:
    return f"issuers: [{{url: {sign_in.issuer}, audiences: [{sign_in.client_id}]}}]"
