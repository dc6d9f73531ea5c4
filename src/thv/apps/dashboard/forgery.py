"""Whether a form was sent from our own page by whoever looks at it.

In the flow: asked before a form is read any further. Two walls: where the browser says that the request comes from, and
a value that only our page can have.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from urllib.parse import urlsplit

from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import ProblemError, Word

FIELD = "csrf_token"
_HEADER = b"x-csrf-token"
_SIZE = 32


def form_token(number: str) -> str:
    """The value of a hidden field, another one each time: what compresses well must not tell it."""
    mask = secrets.token_bytes(_SIZE)
    return base64.urlsafe_b64encode(mask + _xor(mask, _secret(number))).decode().rstrip("=")


def check_form(request: Request, number: str, given: str, *, has_ended: bool = False) -> None:
    """Raises CSRF_FAILED; `number` is that of the cookie, `""` without one, `given` the hidden field."""
    if not _is_from_here(request):
        raise _refused("The form was sent from another site.")
    if has_ended:
        raise _refused("Your session has ended.", "Sign in again, and send the form anew.")
    if not number:
        raise _refused("Your browser did not send the cookie that belongs to the form.", _COOKIES)
    sent = given or request.header(_HEADER)
    if not hmac.compare_digest(_unmasked(sent), _secret(number)):
        raise _refused("The form is not the one that this page gave you, or it is too old.")


_AGAIN = "Go back, load the page anew, and send the form again."
_COOKIES = (
    "Allow cookies for this site, and open it over https, or over http on this machine alone: browsers keep them nowhere "
    "else. `thv dashboard` opens the catalog of a cluster."
)


def _refused(message: str, hint: str = _AGAIN) -> ProblemError:
    return ProblemError(Word.CSRF_FAILED, f"{message} Nothing was done.", hint=hint)


def _is_from_here(request: Request) -> bool:
    """As the browser says; an older one names the page, which may be encrypted where a proxy takes that off."""
    site = request.header(b"sec-fetch-site")
    if site:
        return site == "same-origin"
    origin = request.header(b"origin") or request.header(b"referer")
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    is_own_host = parts.netloc.lower() == request.header(b"host").lower()
    return bool(origin) and is_own_host and parts.scheme in ("https", request.scheme)


def _secret(number: str) -> bytes:
    return hmac.digest(number.encode(), b"forms", "sha256")


def _unmasked(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (ValueError, binascii.Error):
        return b""
    return _xor(raw[:_SIZE], raw[_SIZE:]) if len(raw) == 2 * _SIZE else b""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
