"""Entity tags, dates and what may be kept by whom.

In the flow: a handler knows what its answer depends on; this makes the tag of it, and the 304 when the client
has it already.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

import msgspec

from thv.apps.kit.http.message import Answer, Header, Request

PUBLIC = (b"cache-control", b"public, max-age=10, stale-if-error=300")
PRIVATE = (b"cache-control", b"private, no-cache")

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_encode = msgspec.json.Encoder().encode


class Validators(msgspec.Struct, frozen=True):
    """What a client may ask with whether it is up to date."""

    etag: str
    """Weak, as encodings of the same answer differ."""
    modified: str = ""
    """An HTTP date, `""` where there is none."""

    def headers(self) -> tuple[Header, ...]:
        """As an answer carries them."""
        tag = (b"etag", self.etag.encode())
        if not self.modified:
            return (tag,)
        return (tag, (b"last-modified", self.modified.encode()))


def weak_tag(digest: str, *variant: object) -> str:
    """`W/"<view digest>-<variant>"`; the digest is `sha256:...`, the variant whatever decides the bytes."""
    mixed = hashlib.blake2b(_encode(variant), digest_size=6).hexdigest()
    return f'W/"{digest[7:23]}-{mixed}"'


def has_tag(request: Request, etag: str) -> bool:
    """Whether the client names this very tag, which it can only have from an answer like this."""
    tags = request.headers.get(b"if-none-match")
    return tags is not None and _names(tags.decode("latin-1"), etag)


def is_current(request: Request, validators: Validators) -> bool:
    """Whether the client has this answer: a matching tag, else a date that is not older."""
    tags = request.headers.get(b"if-none-match")
    if tags is not None:
        return _matches(tags.decode("latin-1"), validators.etag)
    since = request.headers.get(b"if-modified-since")
    if since is None or not validators.modified:
        return False
    asked = _date(since.decode("latin-1"))
    modified = _date(validators.modified)
    return asked is not None and modified is not None and modified <= asked


def _matches(tags: str, etag: str) -> bool:
    """The weak comparison: what stands between the quotation marks."""
    return tags.strip() == "*" or _names(tags, etag)


def _names(tags: str, etag: str) -> bool:
    return tags == etag or etag.removeprefix("W/") in _TAG.findall(tags)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@lru_cache(maxsize=64)
def http_date(moment: str) -> str:
    """An RFC 3339 time as HTTP spells it, in whole seconds; `""` for what is none."""
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return ""
    return format_datetime(found.astimezone(UTC).replace(microsecond=0), usegmt=True)


def not_modified(headers: tuple[Header, ...]) -> Answer:
    """What a client gets that is up to date; `headers` are those of its answer, without the body's."""
    return Answer(304, headers)
