"""Times as everything of ours writes them: RFC 3339, UTC, `Z`."""

from __future__ import annotations

from datetime import UTC, datetime


def render_time(moment: datetime, *, milliseconds: bool = False) -> str:
    """`2026-11-20T10:30:00Z`, with milliseconds where a second is too coarse."""
    unit = "milliseconds" if milliseconds else "seconds"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=unit) + "Z"


def parse_time(text: str) -> datetime | None:
    """The moment; None for what is no RFC 3339 time. Any number of fractional digits is read."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
