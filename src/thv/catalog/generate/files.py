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
from thv.catalog.generate.request import Request
from thv.domain.canonical import JsonObject
from thv.domain.errors import FieldError
from thv.domain.resources import name_of

COPIES = "images-to-copy.txt"

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
    """A zip of the manifests, the images and what to do with them."""
    files = {f"manifests/{_file_name(obj)}": documents([obj]) for obj in generation.manifests}
    files["images.txt"] = image_list(generation)
    copies = copy_list(generation)
    if copies:
        files[COPIES] = copies
    files["README.md"] = _readme(generation, copies.count("\n"))
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
    return _lines(lines)


def copy_list(generation: Generation) -> str:
    """A line for each image that has to be carried: where it is pulled from, a blank, and where it is run from."""
    return _lines(
        {f"{each['source']} {each['image']}" for each in generation.images if "source" in each}
    )


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in sorted(lines))


def _file_name(obj: JsonObject) -> str:
    return f"{str(obj['kind']).lower()}-{name_of(obj)}.yaml"


# ---------------------------------------------------------------- what to do with them


def _readme(generation: Generation, copies: int) -> str:
    request = generation.request
    warned = [each for each in generation.warnings if each not in generation.beyond]
    parts = (
        _HEAD.format(request=request),
        _COPY.format(count=copies, file=COPIES) if copies else "",
        _APPLY.format(request=request),
        _told("## Without a way out", _BEYOND, generation.beyond, request),
        _told("## Worth knowing", "", warned, request),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _told(title: str, text: str, said: Iterable[FieldError], request: Request) -> str:
    lines = "\n".join(f"- {_subject(each, request)}: {each.message}" for each in said)
    return "\n\n".join(part for part in (title, text, lines) if part) if lines else ""


def _subject(said: FieldError, request: Request) -> str:
    """Whom it is about, in a word for people: a path into the request is for programs."""
    place = _SERVER.match(said.path)
    return f"`{request.servers[int(place[1])].name}`" if place else "The registry"


_SERVER = re.compile(r"servers\[(\d+)\]")

_HEAD = """\
# The registry {request.registry_name} in the namespace {request.namespace}

`manifests/` makes it, `images.txt` lists what its servers run, by digest where that is known."""

_COPY = """\
## Images

Images to copy first: {count:,}. Each line of `{file}` says where one is pulled from and where it is run from.
Where both can be reached:

```
while read -r from to; do crane copy "$from" "$to"; done < {file}
```

`skopeo copy --all "docker://$from" "docker://$to"` does the same, and so does, for the platform of the machine alone,
`docker pull "$from" && docker tag "$from" "$to" && docker push "$to"`."""

_APPLY = """\
## On a cluster

```
kubectl apply --server-side -f manifests/
kubectl wait mcpregistry/{request.registry_name} -n {request.namespace} --for=condition=Ready
```

Its API is then at `http://{request.registry_name}-api.{request.namespace}.svc:8080`. Its trust level is raw, also
where its servers come from a trusted registry, until whoever may change policies raises it:

```
kubectl patch mcpregistry {request.registry_name} -n {request.namespace} --type merge -p '{{"spec":{{"trustLevel":"tested"}}}}'
```"""

_BEYOND = "These servers need something outside:"
