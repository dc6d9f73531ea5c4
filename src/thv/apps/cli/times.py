"""Lengths of time as options: `30s`, `5m`, `1h30m`, or a number of seconds.

In the flow: while a command line is parsed.
"""

from __future__ import annotations

import click

from thv.domain.durations import parse_duration
from thv.domain.errors import ThvError


class Duration(click.ParamType[float]):
    """Seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The seconds that the text means."""
        text = str(value)
        try:
            return float(text) if text.isdecimal() else parse_duration(text)
        except ThvError:
            return self.fail(
                f"'{text}' is no length of time; write it as 30s, 5m or 1h30m", param, ctx
            )


class DurationText(click.ParamType[str]):
    """A length of time as a resource spells it."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """The text, when it is one."""
        text = str(value)
        try:
            if text:
                parse_duration(text)
        except ThvError:
            self.fail(f"'{text}' is no length of time; write it as 30s, 5m or 1h30m", param, ctx)
        return text


DURATION = Duration()
DURATION_TEXT = DurationText()
