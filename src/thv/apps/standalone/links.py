"""Where the dashboard of the process is: what is printed, and what commands on the same machine find.

In the flow: beside what the process serves. The address lies in the data folder, which its owner alone may read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from thv.apps.kit.codes import Codes
from thv.apps.kit.home import Home
from thv.apps.standalone.settings import Settings


def dashboard_of(home: Home, settings: Settings) -> str:
    """Its address; a link that signs in once where nobody has a token. `""` where there are no pages."""
    if settings.only is not None:
        return ""
    if not settings.has_owner:
        return f"{settings.base_url}/"
    return f"{settings.base_url}/signin/once/{Codes(home.codes).make()}"


@contextmanager
def told_where(home: Home, settings: Settings) -> Iterator[None]:
    """Commands find the dashboard until the context ends; beside the process that synchronizes, others are not found."""
    if settings.only is not None or settings.read_only:
        yield
        return
    home.address.write_text(f"{settings.base_url}\n")
    try:
        yield
    finally:
        with suppress(OSError):
            home.address.unlink()
