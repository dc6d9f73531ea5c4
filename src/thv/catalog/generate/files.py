"""What was generated as files: documents for kubectl, or an archive for whoever carries them somewhere.

In the flow: after `manifests`, instead of `create`. The same values give the same bytes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable

import yaml

from thv.catalog.generate.manifests import Generation
from thv.domain.canonical import JsonObject
from thv.domain.resources import name_of

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ._/-]*[A-Za-z0-9]", re.ASCII)
_WORDS = frozenset({"yes", "no", "on", "off", "true", "false", "null", "inf", "nan"})
_MADE_AT = (1980, 1, 1, 0, 0, 0)
"""The first moment that an archive can tell: each file has one, and when it was asked for is none of its content."""


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines stand as they are; what some reader of YAML could take for another kind is quoted."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 # the library's name
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    if "\n" in text:
        style = "|"
    else:
        is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
        style = "" if is_plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def documents(objects: Iterable[JsonObject]) -> str:
    """YAML documents, each behind three dashes."""
    text: str = yaml.dump_all(
        objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, explicit_start=True
    )
    return text


def archive(generation: Generation) -> bytes:
    """A zip of the manifests, the list of images and what to do with them."""
    files = {f"manifests/{_file_name(obj)}": documents([obj]) for obj in generation.manifests}
    files |= {"images.txt": image_list(generation), "README.md": _readme(generation)}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _MADE_AT)
            entry.external_attr = 0o644 << 16
            made.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def image_list(generation: Generation) -> str:
    """One image a line, by digest where that is known."""
    lines = {
        f"{image['image']}@{image['digest']}" if "digest" in image else str(image["image"])
        for image in generation.images
    }
    return "".join(f"{line}\n" for line in sorted(lines))


def _file_name(obj: JsonObject) -> str:
    return f"{str(obj['kind']).lower()}-{name_of(obj)}.yaml"


def _readme(generation: Generation) -> str:
    request = generation.request
    name, namespace = request.registry_name, request.namespace
    warnings = "".join(f"- `{each.path}`: {each.message}\n" for each in generation.warnings)
    said = f"\n## Worth knowing\n\n{warnings}" if warnings else ""
    return f"""# The registry {name} in the namespace {namespace}

`manifests/` makes it, `images.txt` lists what its servers run, by digest where that is known.

```
kubectl apply --server-side -f manifests/
kubectl wait mcpregistry/{name} -n {namespace} --for=condition=Ready
```

Its API is then at `http://{name}-api.{namespace}.svc:8080`.
{said}"""
