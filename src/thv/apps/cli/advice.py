"""What a person does about a sync that failed.

In the flow: behind `thv registry add`, `sync`, `status` and `wait`. A status keeps the code and the sentence of an
error; what to type next depends on the registry and is said here.
"""

from __future__ import annotations

from collections.abc import Mapping

from thv.apps.cli.exits import CommandError
from thv.apps.cli.output import counted
from thv.apps.cli.registries import Shelf, path_of, place_of
from thv.domain.errors import Code
from thv.domain.registry import Registry, SourceType
from thv.domain.registry_status import SyncError
from thv.sync.hierarchy import neighbour_of

_REASONS: Mapping[Code, str] = {
    Code.SOURCE_TIMEOUT: "give it more time: set spec.syncPolicy.timeout to 5m",
    Code.AUTHENTICATION_FAILED: "check the Secret that spec.source names in authSecret or headersSecret",
    Code.TLS_VERIFICATION_FAILED: "name the certificate authority in spec.source: caConfigMap",
    Code.ADDRESS_DENIED: "thv config set allow HOST:PORT   (if you trust that host; see docs/security/sources.md)",
    Code.SECRET_NOT_FOUND: "thv secret create NAME --from-stdin",
    Code.EMPTY: "an empty document never replaces content; remove the registry if that is meant",
    Code.STORE_FULL: "free some space; nothing that was served is lost",
    Code.TOOL_MISSING: "install git",
}
_EDITED = frozenset(
    {
        Code.INVALID,
        Code.SOURCE_NOT_FOUND,
        Code.PATH_NOT_FOUND,
        Code.SOURCE_TYPE_UNSUPPORTED,
        Code.HOST_NOT_ALLOWED,
        Code.REGISTRY_CYCLE,
        Code.FORMAT_INVALID,
        Code.FORMAT_UNSUPPORTED,
    }
)


def sync_error(shelf: Shelf, error: SyncError) -> CommandError:
    """The error of a sync as a command ends with it."""
    code = code_of(error)
    return CommandError(
        code,
        f"{shelf.title} could not be synchronized: {error.message}{_kept(shelf)}",
        tries=what_to_do(shelf, code),
        details={"registry": shelf.name, "namespace": shelf.namespace, "error": error.code},
    )


def code_of(error: SyncError) -> Code:
    """The code behind the word in a status; of another version of the program, a plain failure."""
    return Code(error.code) if error.code in Code.__members__.values() else Code.FORMAT_INVALID


def what_to_do(shelf: Shelf, code: Code) -> list[str]:
    """Lines of advice, the most likely one first."""
    lines = [_REASONS[code]] if code in _REASONS else []
    if code is Code.SOURCE_UNREACHABLE:
        lines.append(f"check that {place_of(shelf.registry)} answers")
    if code is Code.SOURCE_NOT_READY:
        lines.append(shelf.command("registry", "sync", neighbour_of(shelf.registry)))
    if code in (Code.FORMAT_INVALID, Code.FORMAT_UNSUPPORTED) and _is_file(shelf.registry):
        path = shelf.place.models.parent / path_of(shelf.registry)
        lines.append(shelf.command("registry", "validate", str(path)))
    if code in _EDITED:
        lines.append(f"correct spec.source: {_edit(shelf)}")
    return [*lines, shelf.command("registry", "sync", shelf.name)]


def next_step(shelf: Shelf, error: SyncError) -> str:
    """What happens by itself."""
    if error.next == "never":
        return "nothing is tried again before something changes, or the next interval"
    if shelf.place.on_cluster:
        return "the operator tries again by itself"
    return "it is tried again by itself while a thv serve runs"


def _kept(shelf: Shelf) -> str:
    if shelf.registry.status.snapshot is None:
        return ""
    return f"; it goes on serving {counted(shelf.registry.status.server_count, 'server')}"


def _is_file(registry: Registry) -> bool:
    return registry.spec.source.type is SourceType.FILE


def _edit(shelf: Shelf) -> str:
    return (
        f"{shelf.command('get', 'mcpregistry', shelf.name, '-o', 'yaml')}, then thv apply -f FILE"
    )
