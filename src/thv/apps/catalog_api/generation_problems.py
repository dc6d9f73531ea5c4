"""What a generation refuses, in the words of HTTP.

In the flow: around the steps of a generation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from thv.apps.kit.http.problems import Culprit, ProblemError, Word, problem_of
from thv.catalog.generate.refusals import RefusedError
from thv.domain.errors import Code, FieldError, InvalidError, ThvError

_SUBJECT = "the request"
_LISTED = 5
_WORDS = {Code.NOT_FOUND: Word.SERVER_NOT_FOUND, Code.ALREADY_EXISTS: Word.REGISTRY_EXISTS}


@contextmanager
def told(namespace: str, *, where: str = "body") -> Iterator[None]:
    """Errors as the answers that they are; `where` is what the request consists of, `body` or `query`."""
    try:
        yield
    except InvalidError as error:
        if error.subject != _SUBJECT:
            raise
        raise _invalid(error.errors, where) from error
    except RefusedError as error:
        raise _refused(error, where) from error
    except ThvError as error:
        raise _failed(error, namespace) from error


def _invalid(errors: Sequence[FieldError], where: str) -> ProblemError:
    shown = "; ".join(f"{_field(each.path, where)} {each.message}" for each in errors[:_LISTED])
    more = f"; and {len(errors) - _LISTED} more" if len(errors) > _LISTED else ""
    first = errors[0]
    return ProblemError(
        Word.INVALID_REQUEST,
        f"{shown}{more}.",
        culprits=[_culprit(each, where) for each in errors],
        field=_field(first.path, where),
        value=first.value,
    )


def _refused(error: RefusedError, where: str) -> ProblemError:
    field = _field(error.error.path, where)
    word = _WORDS.get(error.code) or problem_of(error).word
    if word is Word.SERVER_NOT_FOUND and error.error.path.endswith(".version"):
        word = Word.VERSION_NOT_FOUND
    return ProblemError(
        word,
        f"{error.error.message[:1].upper()}{error.error.message[1:]}.",
        culprits=[_culprit(error.error, where)],
        field=field,
        value=error.error.value,
        hint=error.hint,
    )


def _failed(error: ThvError, namespace: str) -> ProblemError:
    """What a store refuses; a right is one of the namespace."""
    if error.code is Code.FORBIDDEN:
        return ProblemError(
            Word.NAMESPACE_ACCESS_DENIED,
            f"{error.message}.",
            field="namespace",
            value=namespace,
            hint=error.hint,
        )
    problem = problem_of(error)
    if "field" in error.details:
        problem.field, problem.value = error.details["field"], error.details.get("value")
    return problem


def _culprit(error: FieldError, where: str) -> Culprit:
    return Culprit(error.message, f"{where}.{_field(error.path, where)}", error.value)


def _field(path: str, where: str) -> str:
    """As the request has it: parameters of a query have no path."""
    if where == "body":
        return path
    last = path.rpartition("configuration.")[2] if "configuration." in path else path
    return last.rpartition(".")[2].partition("[")[0]
