"""What an API server refuses, in our words.

In the flow: around every request of the Kubernetes store. What concerns an object reads as the other kinds of
store say it; what only a server knows (who may do what, quotas, policies) keeps the server's sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from thv.clients.kube.errors import UNREADABLE, KubeError, KubeUnreachableError
from thv.domain.errors import Code, FieldError, InvalidError, ThvError
from thv.domain.resources import Kind

CORRECT = "Correct the named fields and send the object again; nothing was changed."
READ_AGAIN = "Read it again, repeat the change on what it is now, and send that."

_UNKNOWN = re.compile(r'unknown field "([^"]+)"')
_NOT_DECLARED = re.compile(r"\.([^\s:]+): field not declared in schema")
_CONFLICT = re.compile(r"conflict(?:s)? with (.+)", re.DOTALL)
_QUOTA = re.compile(r"exceeded quota: ([^,]+)")
_POLICY = re.compile(r"ValidatingAdmissionPolicy .*? denied request: (.*)", re.DOTALL)
_TOO_LARGE = ("request is too large", "trying to send message larger than max")


class What(msgspec.Struct, frozen=True):
    """What a request was about."""

    kind: Kind
    namespace: str = ""
    name: str = ""

    @property
    def subject(self) -> str:
        """`mcpregistry "corp"`, or the kind alone."""
        return self.kind.subject(self.name) if self.name else self.kind.plural


@contextmanager
def translated(what: What) -> Iterator[None]:
    """The client's exceptions as ours."""
    try:
        yield
    except KubeError as error:
        raise as_ours(error, what) from error
    except KubeUnreachableError as error:
        raise away(error) from error


def away(error: KubeUnreachableError) -> ThvError:
    """No answer."""
    return ThvError(
        Code.STORE_UNAVAILABLE,
        error.message,
        hint="Check that the API server of the cluster runs and can be reached from here.",
    )


def as_ours(error: KubeError, what: What) -> ThvError:
    """An answer that is a refusal."""
    match error.status:
        case _ if error.reason == UNREADABLE or error.status == 429:
            return _unavailable(error)
        case _ if any(sign in error.message for sign in _TOO_LARGE) or error.status == 413:
            return _too_large(error, what)
        case 400 | 422:
            return _invalid(error, what)
        case 401:
            return _unauthenticated(error)
        case 403:
            return _forbidden(error, what)
        case 404:
            return _not_found(error, what)
        case 409:
            return _conflict(error, what)
        case 410:
            return _expired(error, what)
        case 500 if _field_errors(error):
            return _invalid(error, what)
        case status if status >= 500:
            return _unavailable(error)
        case _:
            return ThvError(Code.INVALID, f"{what.subject}: {error.message}")


# ---------------------------------------------------------------- wrong objects


def _invalid(error: KubeError, what: What) -> ThvError:
    errors = _field_errors(error)
    if errors:
        return InvalidError(what.subject, errors, hint=CORRECT)
    denied = _POLICY.search(error.message)
    if denied:
        return _denied(denied[1], what)
    return ThvError(Code.INVALID, f"{what.subject}: {error.message}", hint=CORRECT)


def _field_errors(error: KubeError) -> list[FieldError]:
    unknown = _UNKNOWN.findall(error.message) or _NOT_DECLARED.findall(error.message)
    if unknown:
        return [FieldError(path, f'unknown field "{path}"') for path in dict.fromkeys(unknown)]
    if error.message.startswith("metadata.managedFields"):
        problem = "must not be set in an applied object"
        return [FieldError("metadata.managedFields", problem)]
    if error.message.startswith("resourceVersion should not be set"):
        problem = "must not be set on an object that is to be created"
        return [FieldError("metadata.resourceVersion", problem)]
    return [
        FieldError(str(cause["field"]), str(cause.get("message", "")))
        for cause in _causes(error)
        if cause.get("field") and cause.get("field") != "<nil>"
    ]


def _denied(message: str, what: What) -> ThvError:
    """A policy of the cluster says no; its message is written for people."""
    text = " ".join(message.split())
    return ThvError(Code.INVALID, f"{what.subject} is refused by a policy: {text}", hint=CORRECT)


def _too_large(error: KubeError, what: What) -> ThvError:
    return ThvError(
        Code.SIZE_LIMIT_EXCEEDED,
        f"{what.subject} is larger than the cluster stores: {error.message}",
        hint="Split it into several objects, or keep the content outside and refer to it.",
    )


# ---------------------------------------------------------------- rights and quotas


def _forbidden(error: KubeError, what: What) -> ThvError:
    quota = _QUOTA.search(error.message)
    if quota:
        return _over_quota(error, what, quota[1].strip())
    denied = _POLICY.search(error.message)
    if denied:
        return ThvError(Code.FORBIDDEN, f"{what.subject} is refused by a policy: {denied[1]}")
    return ThvError(
        Code.FORBIDDEN,
        error.message,
        hint="Give this user or service account the named right (kubectl auth can-i shows what it has).",
        details=error.details,
    )


def _over_quota(error: KubeError, what: What, quota: str) -> ThvError:
    numbers = error.message.partition("exceeded quota: ")[2]
    place = f' of namespace "{what.namespace}"' if what.namespace else ""
    return ThvError(
        Code.STORE_FULL,
        f'{what.subject} exceeds the ResourceQuota "{quota}"{place} ({numbers})',
        hint="Raise the quota, or free what counts against it.",
        details={"quota": quota},
    )


def _unauthenticated(error: KubeError) -> ThvError:
    """Not FORBIDDEN: it passes by itself when a token is renewed or a server has finished starting."""
    return ThvError(
        Code.STORE_UNAVAILABLE,
        f"the API server does not accept our credentials: {error.message}",
        hint="Check the kubeconfig, or the token of the service account.",
        retry_after=error.retry_after,
    )


# ---------------------------------------------------------------- what is there


def _not_found(error: KubeError, what: What) -> ThvError:
    if not error.reason or not error.details.get("name"):
        return ThvError(
            Code.NOT_FOUND,
            f"the cluster knows no kind {what.kind.kind} of {what.kind.api_version}",
            hint="Install its CustomResourceDefinition, or ask for a version that the cluster serves.",
            details={"unknownKind": what.kind.kind},
        )
    if error.details.get("kind") == "namespaces" and what.kind.plural != "namespaces":
        name = error.details["name"]
        return ThvError(
            Code.NOT_FOUND,
            f'namespace "{name}" not found',
            hint=f"Create it: kubectl create namespace {name}",
        )
    place = f' in namespace "{what.namespace}"' if what.namespace else ""
    return ThvError(
        Code.NOT_FOUND,
        f"{what.subject} not found{place}",
        hint="Check the name and the namespace, or create it first.",
        details={"kind": what.kind.kind, "namespace": what.namespace, "name": what.name},
    )


def _conflict(error: KubeError, what: What) -> ThvError:
    if error.reason == "AlreadyExists":
        place = f' in namespace "{what.namespace}"' if what.namespace else ""
        return ThvError(Code.ALREADY_EXISTS, f"{what.subject} already exists{place}")
    owned = [cause for cause in _causes(error) if cause.get("reason") == "FieldManagerConflict"]
    if owned:
        return _owned_by_others([(_manager(cause), str(cause.get("field"))) for cause in owned])
    return ThvError(Code.CONFLICT, f"{what.subject} has changed: {error.message}", hint=READ_AGAIN)


def _manager(cause: dict[str, Any]) -> str:
    message = str(cause.get("message", ""))
    found = _CONFLICT.match(message)
    return found[1] if found else message


def _owned_by_others(found: list[tuple[str, str]]) -> ThvError:
    listed = "; ".join(f"{field} is owned by {owner}" for owner, field in found[:20])
    count = f"{len(found)} field" + ("s" if len(found) > 1 else "")
    return ThvError(
        Code.CONFLICT,
        f"cannot apply: {count} would take another value than their owner set: {listed}",
        hint="Leave the fields out, give them the owner's value, or force the apply to take them over.",
        details={"conflicts": [{"manager": owner, "field": field} for owner, field in found]},
    )


def _expired(error: KubeError, what: What) -> ThvError:
    return ThvError(
        Code.EXPIRED,
        f"{what.subject}: {error.message}",
        hint="List again and go on from the version of that list.",
    )


def _unavailable(error: KubeError) -> ThvError:
    return ThvError(
        Code.STORE_UNAVAILABLE,
        f"the API server cannot answer now ({error.status}): {error.message}",
        retry_after=error.retry_after,
    )


def _causes(error: KubeError) -> list[dict[str, Any]]:
    causes = error.details.get("causes")
    return (
        [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
    )
