"""What is refused, with the field that is to blame.

In the flow: raised by the steps of a generation; a door makes its answer of it.
"""

from __future__ import annotations

from typing import Any

from thv.domain.errors import Code, FieldError, ThvError


class RefusedError(ThvError):
    """A request that is well-formed and cannot be fulfilled; names the one field."""

    def __init__(self, code: Code, error: FieldError, *, hint: str = "") -> None:
        super().__init__(
            code,
            f"{error.path}: {error.message}",
            hint=hint,
            details={"field": error.path, "value": error.value},
        )
        self.error = error


def refused(
    code: Code, path: str, message: str, value: Any = None, *, hint: str = ""
) -> RefusedError:
    """The same with less to write."""
    return RefusedError(code, FieldError(path, message, value), hint=hint)
