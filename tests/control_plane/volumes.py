"""The volumes of a pod as folders of this machine, which containers see at their mount paths.

ConfigMaps, Secrets and tokens are replaced as a whole by renaming one link, as the kubelet does it: a reader never sees
half of a change.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.control_plane.environment import ConfigError, Data, Read, field_of, resource_of
from tests.control_plane.plane import Json
from tests.control_plane.sandbox import Mount

Files = dict[str, tuple[bytes, int]]
"""Content and mode by path."""
Token = Callable[[str, int], Awaitable[str]]
"""A token of the pod for an audience that ends after so many seconds."""

_READ_ONLY = frozenset({"configMap", "secret", "projected", "downwardAPI"})
_RENEWED = 0.8
"""The share of its life after which a token is replaced."""


class Issued(NamedTuple):
    token: str
    until: float


class Volumes:
    """The volumes of one pod."""

    def __init__(self, pod: Json, folder: Path, read: Read, token: Token) -> None:
        self._pod = pod
        self._folder = folder
        self._read = read
        self._token = token
        self._tokens: dict[tuple[str, int], Issued] = {}
        self._specs: dict[str, Json] = {
            each["name"]: each for each in pod["spec"].get("volumes", ())
        }
        self._group: int | None = pod["spec"].get("securityContext", {}).get("fsGroup")

    async def write(self) -> None:
        """Brings every volume to what the API says now; says by ConfigError what is missing."""
        for name, spec in self._specs.items():
            if "emptyDir" in spec:
                self._make_empty(name)
            elif _READ_ONLY & spec.keys():
                self._publish(name, await self._files(spec))
            else:
                raise ConfigError(
                    f"volume {name}: {', '.join(spec.keys() - {'name'})} is not offered here"
                )

    def mounts(self, container: Json) -> list[Mount]:
        """Where a container sees them, outer folders first."""
        asked = container.get("volumeMounts", ())
        return sorted((self._mount(each) for each in asked), key=lambda mount: mount.target)

    def _mount(self, asked: Json) -> Mount:
        place = self._folder / asked["name"]
        below = asked.get("subPath")
        fixed = bool(_READ_ONLY & self._specs[asked["name"]].keys())
        if below:
            place = (place / below).resolve()
            if not fixed and not place.exists():
                place.mkdir(parents=True)
        return Mount(place, asked["mountPath"], fixed or asked.get("readOnly", False))

    def _make_empty(self, name: str) -> None:
        place = self._folder / name
        if not place.exists():
            place.mkdir(parents=True)
            place.chmod(0o777)
            if self._group is not None:
                os.chown(place, 0, self._group)
                place.chmod(0o2777)

    async def _files(self, spec: Json) -> Files:
        for kind in _READ_ONLY & spec.keys():
            source = spec[kind]
            mode = source.get("defaultMode", 0o644)
            if kind != "projected":
                return await self._source(kind, source, mode)
            files: Files = {}
            for part in source.get("sources", ()):
                ((inner, described),) = part.items()
                files |= await self._source(inner, described, mode)
            return files
        return {}

    async def _source(self, kind: str, source: Json, mode: int) -> Files:
        match kind:
            case "configMap":
                return _chosen(
                    await self._object("configmaps", source["name"], source), source, mode
                )
            case "secret":
                name = source.get("secretName") or source["name"]
                return _chosen(await self._object("secrets", name, source), source, mode)
            case "downwardAPI":
                return {
                    item["path"]: (self._said(item), item.get("mode", mode))
                    for item in source["items"]
                }
            case "serviceAccountToken":
                token = await self._issued(
                    source.get("audience", ""), source.get("expirationSeconds", 3600)
                )
                return {source["path"]: (token.encode(), mode)}
            case _:
                raise ConfigError(f"{kind} is no source of a projected volume here")

    async def _object(self, kind: str, name: str, source: Json) -> Data:
        data = await self._read(kind, name)
        if data is None and not source.get("optional"):
            raise ConfigError(f'{kind[:-1]} "{name}" not found')
        return data or {}

    def _said(self, item: Json) -> bytes:
        if "fieldRef" in item:
            return field_of(item["fieldRef"]["fieldPath"], self._pod).encode()
        reference = item["resourceFieldRef"]
        containers = self._pod["spec"]["containers"]
        named = (each for each in containers if each["name"] == reference.get("containerName"))
        return resource_of(reference, next(named, containers[0])).encode()

    async def _issued(self, audience: str, seconds: int) -> str:
        """The token that is there already, unless it is old."""
        known = self._tokens.get((audience, seconds))
        now = time.time()
        if known is None or now > known.until:
            token = await self._token(audience, seconds)
            known = self._tokens[audience, seconds] = Issued(token, now + seconds * _RENEWED)
        return known.token

    def _publish(self, name: str, files: Files) -> None:
        place = self._folder / name
        current = place / "..data"
        if current.exists() and _content(current) == {
            path: each[0] for path, each in files.items()
        }:
            return
        fresh = place / f"..{time.time_ns()}"
        for path, (content, mode) in files.items():
            file = fresh / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            self._permit(file, mode)
        fresh.mkdir(parents=True, exist_ok=True)
        old = current.resolve() if current.is_symlink() else None
        (place / "..next").symlink_to(fresh.name)
        (place / "..next").rename(current)
        self._link(place, {path.split("/")[0] for path in files})
        if old is not None:
            shutil.rmtree(old)

    def _permit(self, file: Path, mode: int) -> None:
        if self._group is not None:
            os.chown(file, 0, self._group)
            mode |= 0o440
        file.chmod(mode)

    def _link(self, place: Path, names: set[str]) -> None:
        for link in place.iterdir():
            if not link.name.startswith("..") and link.name not in names:
                link.unlink()
        for name in names:
            if not (place / name).is_symlink():
                (place / name).symlink_to(f"..data/{name}")


def _chosen(data: Data, source: Json, mode: int) -> Files:
    """All keys, or those that `items` names under the paths that it gives them."""
    items = source.get("items")
    if items is None:
        return {name: (content, mode) for name, content in data.items()}
    chosen = {}
    for item in items:
        if item["key"] in data:
            chosen[item["path"]] = (data[item["key"]], item.get("mode", mode))
        elif not source.get("optional"):
            raise ConfigError(f"references non-existent config key: {item['key']}")
    return chosen


def _content(folder: Path) -> dict[str, bytes]:
    return dict(_walked(folder))


def _walked(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
