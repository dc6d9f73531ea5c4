"""Istio's own definitions of its kinds."""

from __future__ import annotations

from pathlib import Path

from tests.go_programs import GoFile

ISTIO = GoFile(
    module="istio.io/api",
    version="1.31.1",
    sum="h1:5Yb5ihcz4YQsCkciusK7DnFpBMwRB6EFWeUKH1Atuyk=",
    path="kubernetes/customresourcedefinitions.gen.yaml",
    product="istio-api",
)
_ABOUT_SECURITY = "security.istio.io"


def security_kinds(file: Path) -> str:
    """Those that decide who reaches whom; reading all of the file takes long, its documents are cut apart instead."""
    documents = file.read_text().split("\n---\n")
    return "\n---\n".join(each for each in documents if f"\n  group: {_ABOUT_SECURITY}\n" in each)
