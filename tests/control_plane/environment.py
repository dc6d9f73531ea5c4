"""What a container is told: environment variables, `$(NAME)` in its command, and the downward API."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from tests.control_plane.plane import Json

Data = dict[str, bytes]
Read = Callable[[str, str], Awaitable["Data | None"]]
"""The content of a ConfigMap or Secret of the pod's namespace, by kind and name; None when there is none."""

_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_.-][A-Za-z0-9_.-]*)\))")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_UNITS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("", "k", "M", "G", "T", "P"))},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTP", 1)},
}


class ConfigError(Exception):
    """The container cannot be made; Kubernetes says this in the waiting state."""


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """`$(NAME)` becomes the variable, `$$` a dollar; what is not known stays as it is."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else environ.get(match[2], match[0])

    return _REFERENCE.sub(value, text)


async def environment_of(
    container: Json, pod: Json, links: Mapping[str, str], read: Read
) -> dict[str, str]:
    """All variables of a container, in the order in which the kubelet lets them win."""
    found = dict(links)
    for source in container.get("envFrom", ()):
        found.update(await _all_of(source, read))
    for variable in container.get("env", ()):
        name = variable["name"]
        if "valueFrom" not in variable:
            found[name] = expanded(variable.get("value", ""), found)
            continue
        value = await _value(variable["valueFrom"], container, pod, read)
        if value is not None:
            found[name] = value
    return found


async def _all_of(source: Json, read: Read) -> dict[str, str]:
    for key, kind in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        if key in source:
            data = await _data(kind, source[key], read)
            prefix = source.get("prefix", "")
            return {prefix + name: value.decode() for name, value in data.items()}
    return {}


async def _value(source: Json, container: Json, pod: Json, read: Read) -> str | None:
    match source:
        case {"fieldRef": {"fieldPath": path}}:
            return field_of(path, pod)
        case {"resourceFieldRef": reference}:
            return resource_of(reference, container)
        case {"configMapKeyRef": reference}:
            return await _key_of("configmaps", reference, read)
        case {"secretKeyRef": reference}:
            return await _key_of("secrets", reference, read)
        case _:
            raise ConfigError(f"unknown source of a variable: {', '.join(source)}")


async def _key_of(kind: str, reference: Json, read: Read) -> str | None:
    data = await _data(kind, reference, read)
    if reference["key"] in data:
        return data[reference["key"]].decode()
    if reference.get("optional"):
        return None
    raise ConfigError(f"couldn't find key {reference['key']} in {kind[:-1]} {reference['name']}")


async def _data(kind: str, reference: Json, read: Read) -> Data:
    data = await read(kind, reference["name"])
    if data is None and not reference.get("optional"):
        raise ConfigError(f'{kind[:-1]} "{reference["name"]}" not found')
    return data or {}


def data_of(item: Json) -> Data:
    """The files that a ConfigMap or a Secret stands for."""
    encoded = item.get("data") or {}
    if item.get("kind") == "Secret":
        return {name: base64.b64decode(value) for name, value in encoded.items()}
    binary = item.get("binaryData") or {}
    return {
        **{name: value.encode() for name, value in encoded.items()},
        **{name: base64.b64decode(value) for name, value in binary.items()},
    }


def field_of(path: str, pod: Json) -> str:
    """What the downward API says of a pod: `metadata.name`, `status.podIP`, `metadata.labels['app']`."""
    keyed = _KEYED.fullmatch(path)
    if keyed is not None:
        return str(pod["metadata"].get(keyed[1], {}).get(keyed[2], ""))
    value: Any = pod
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    match value:
        case None:
            return ""
        case dict():
            return "".join(f'{name}="{each}"\n' for name, each in sorted(value.items()))
        case list():
            return ",".join(each["ip"] for each in value)
        case _:
            return str(value)


def resource_of(reference: Json, container: Json) -> str:
    """`limits.memory` in bytes or `limits.cpu` in cores, rounded up; limits fall back to the machine's."""
    where, _, what = reference["resource"].partition(".")
    unset = {"memory": "16Gi", "cpu": "4"} if where == "limits" else {}
    amount = container.get("resources", {}).get(where, {}).get(what) or unset.get(what, "0")
    divisor = quantity(reference.get("divisor") or "1") or Decimal(1)
    return str(int(-(-quantity(amount) // divisor)))


def quantity(text: str) -> Decimal:
    """64Mi, 250m and the like as a number."""
    found = re.fullmatch(r"([0-9.eE+-]+?)([numkMGTP]?i?)", text)
    if found is None:
        raise ConfigError(f"{text} is no quantity")
    return Decimal(found[1]) * _UNITS[found[2]]


def service_links(services: Iterable[Json]) -> dict[str, str]:
    """The variables that every container gets for the Services of its namespace."""
    found: dict[str, str] = {}
    for service in services:
        name = service["metadata"]["name"].upper().replace("-", "_")
        host, ports = service["spec"].get("clusterIP"), service["spec"].get("ports")
        if not ports or host in (None, "", "None"):
            continue
        found |= {f"{name}_SERVICE_HOST": host, f"{name}_SERVICE_PORT": str(ports[0]["port"])}
        found[f"{name}_PORT"] = f"tcp://{host}:{ports[0]['port']}"
        for port in ports:
            if "name" in port:
                label = port["name"].upper().replace("-", "_")
                found[f"{name}_SERVICE_PORT_{label}"] = str(port["port"])
            protocol = port.get("protocol", "TCP")
            prefix = f"{name}_PORT_{port['port']}_{protocol}"
            found |= {
                prefix: f"{protocol.lower()}://{host}:{port['port']}",
                f"{prefix}_PROTO": protocol.lower(),
                f"{prefix}_PORT": str(port["port"]),
                f"{prefix}_ADDR": host,
            }
    return found
