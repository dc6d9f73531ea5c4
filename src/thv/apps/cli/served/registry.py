"""What is behind an address: a registry of ours, or an official API that knows only lists and servers.

In the flow: asked first by each command that reads from an address.
"""

from __future__ import annotations

from thv.apps.cli.exits import CommandError
from thv.apps.cli.registries import plain_name
from thv.apps.cli.served.api import Api
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code


async def info_of(api: Api) -> JsonObject | None:
    """What the registry says of itself; None for an API that is not ours, or is of many registries."""
    return await api.find("/api/v1/info")


async def is_catalog(api: Api) -> bool:
    """Whether it is the API of many registries, and ours."""
    return await api.find("/api/v1/categories") is not None


async def require_info(api: Api, name: str = "") -> JsonObject:
    """The same; raises NOT_FOUND where there is none, or one of another name."""
    try:
        info = await api.read("/api/v1/info")
    except CommandError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        hints = error.hint.splitlines()
        search = "thv search   (works with every official API)"
        tries = [*hints, "thv catalog list"] if hints else [search]
        raise CommandError(
            Code.NOT_FOUND, f"{api.url} is not the address of one registry", tries=tries
        ) from error
    require_name(api, info, name)
    return info


def require_name(api: Api, info: JsonObject | None, name: str) -> None:
    """Raises NOT_FOUND when somebody asks for another registry than the one that is served."""
    if not name:
        return
    if info is None:
        raise CommandError(
            Code.NOT_FOUND,
            f'{api.url} does not say which registries it serves, so "{name}" is not known',
            tries=["leave out --registry"],
        )
    if plain_name(name) != info.get("name"):
        raise CommandError(
            Code.NOT_FOUND,
            f'{api.url} serves the registry "{info.get("name")}", not "{name}"',
            suggestions=[str(info.get("name"))],
        )
