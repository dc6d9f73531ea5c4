"""Why conditions of a registry are what they are: a closed list, with what each one means and what to do.

In the flow: whoever computes conditions takes words from here, and the reference page is made of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from thv.domain.conditions import ConditionStatus

ReasonWord: TypeAlias = Literal[
    "AddressDenied",
    "AllPromoted",
    "APIDeploymentUnavailable",
    "APIDiscovered",
    "APINotReady",
    "ApprovalPending",
    "AuthenticationFailed",
    "Available",
    "Deploying",
    "Disabled",
    "Empty",
    "Failed",
    "Fetched",
    "FilterMatchedNothing",
    "FormatInvalid",
    "FormatUnsupported",
    "HostNotAllowed",
    "Invalid",
    "NotFound",
    "NotModified",
    "Parsed",
    "ParsedWithSkips",
    "PathNotFound",
    "Progressing",
    "QuotaExceeded",
    "RateLimited",
    "RegistryCycle",
    "Retrying",
    "SecretForbidden",
    "SecretNotFound",
    "ServingLastGood",
    "SizeLimitExceeded",
    "SnapshotTooLarge",
    "SourceNotReady",
    "SourceTypeUnsupported",
    "SourceUnreachable",
    "Succeeded",
    "Suspended",
    "Timeout",
    "TLSVerificationFailed",
    "ToolMissing",
    "Unchanged",
]

TYPES: Mapping[str, str] = {
    "Ready": "What is served can be used.",
    "SourceAvailable": "The last sync reached the source and was let in.",
    "DataValid": "What the source gave could be read.",
    "SyncSucceeded": "The last sync came to its end.",
    "APIReady": "The registry's own API answers.",
    "PolicySatisfied": "No candidate waits for promotion; of governed registries alone.",
    "Reconciling": "Something is under way; there only while it is true.",
    "Stalled": "Nothing happens before the spec changes; there only while it is true.",
}
"""Each type of condition, and what it says when it is true."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason of one type."""

    type: str
    status: ConditionStatus
    word: ReasonWord
    meaning: str
    remedy: str = ""
    """What a person does about it; `""` where there is nothing to do."""


def _of(kind: str, status: ConditionStatus, *rows: tuple[ReasonWord, str, str]) -> list[Reason]:
    return [
        Reason(type=kind, status=status, word=word, meaning=meaning, remedy=remedy)
        for word, meaning, remedy in rows
    ]


REASONS: tuple[Reason, ...] = (
    *_of(
        "Ready",
        "True",
        ("Succeeded", "The content of the source is served.", ""),
        (
            "ServingLastGood",
            "The last sync failed; what was good before goes on being served.",
            "`SourceAvailable`, `DataValid` or `SyncSucceeded` says what failed.",
        ),
    ),
    *_of(
        "Ready",
        "False",
        (
            "Progressing",
            (
                "The first sync is under way, or waits until the registry that is the source serves something, or the "
                "registry is suspended and never had one."
            ),
            "Wait; of a suspended one ask for a sync: `thv registry sync NAME`.",
        ),
        (
            "SourceNotReady",
            "No sync has succeeded yet.",
            "`SourceAvailable`, `DataValid` or `SyncSucceeded` says what failed.",
        ),
        (
            "SnapshotTooLarge",
            "The content takes more than 64 chunks of 900 KiB.",
            "Filter it, or keep `source.registry.versions` at `latest`.",
        ),
        (
            "APINotReady",
            "The content is there; the API that serves it does not answer.",
            "`APIReady` says why.",
        ),
        ("Invalid", "The spec cannot be obeyed.", "`Stalled` names the field and the rule."),
    ),
    *_of(
        "SourceAvailable",
        "True",
        ("Fetched", "The source gave its content.", ""),
        ("NotModified", "The source said that nothing changed.", ""),
        (
            "APIDiscovered",
            "The source was found at another address than the one of the spec, which the message has.",
            "Nothing; naming that address in the spec saves a request.",
        ),
    ),
    *_of(
        "SourceAvailable",
        "False",
        (
            "SourceUnreachable",
            "No connection came about, its name has no address, or the server failed.",
            "See that the address is right and answers; a network policy or a proxy may be between. It is tried again.",
        ),
        (
            "Timeout",
            "The source brought nothing for `spec.syncPolicy.timeout`.",
            "Give it more time there, or mend the source. It is tried again.",
        ),
        (
            "RateLimited",
            "The source asks to be left alone for a while.",
            "Wait; the message says for how long. A longer interval, or a credential, helps.",
        ),
        (
            "NotFound",
            "There is no such repository, branch, document, ConfigMap or registry.",
            "Correct its name in `spec.source`, or create it.",
        ),
        (
            "PathNotFound",
            "The source is there; the file, folder or key in it is not.",
            "Correct it in `spec.source`.",
        ),
        (
            "AuthenticationFailed",
            "The source does not take the credential, or wants one and was given none.",
            "Put a good one into the Secret that `spec.source` names; it is tried within five minutes.",
        ),
        (
            "TLSVerificationFailed",
            "The certificate of the source is not of an authority that is trusted, or of another name.",
            "Name the authority in `caConfigMap` of the source; verification cannot be turned off.",
        ),
        (
            "AddressDenied",
            "The source has a private address, or speaks plain http, and nobody opened it.",
            (
                "Open it, if you trust it: `settings.allow` of the operator (`THV_ALLOW`), as host:port; on one machine "
                "`thv config set allow HOST:PORT`."
            ),
        ),
        (
            "HostNotAllowed",
            "The owner of the Secret allows its use for other hosts only.",
            "Correct the source, or the annotation `toolhive.stacklok.io/allowed-hosts` of the Secret.",
        ),
        (
            "SecretNotFound",
            "There is no such Secret in the namespace, or it lacks the key.",
            "Create it, on one machine by `thv secret create NAME --from-stdin`; it is looked for every minute.",
        ),
        (
            "SecretForbidden",
            "The operator may not read Secrets in this namespace.",
            "Run the command in the message, as the owner of the namespace.",
        ),
        (
            "ToolMissing",
            "This machine has no git that is new enough.",
            "Install git 2.37 or newer; the image has it.",
        ),
    ),
    *_of(
        "DataValid",
        "True",
        ("Parsed", "Every item was read.", ""),
        (
            "ParsedWithSkips",
            "Some items could not be read and are left out; the message has the first one.",
            "`thv registry validate` on the document names them all.",
        ),
        (
            "FilterMatchedNothing",
            "Filter and policy let nothing pass, so nothing is served.",
            "Correct `spec.filter`, unless that is meant.",
        ),
    ),
    *_of(
        "DataValid",
        "False",
        (
            "FormatInvalid",
            "The document is damaged, or none that is known.",
            "Correct the document; `thv registry validate` says where it is wrong.",
        ),
        (
            "FormatUnsupported",
            "The document is of a format, or of a generation of one, that is not read.",
            "Convert it first (`thv registry convert`), or correct `spec.format`.",
        ),
        (
            "SizeLimitExceeded",
            "The source is larger than what is read of one.",
            "Cut it into several, or serve it by the registry API, which is read in pages.",
        ),
        (
            "Empty",
            "The source holds no servers; that never replaces what is served.",
            "Mend the source; remove the registry if that is meant.",
        ),
    ),
    *_of(
        "SyncSucceeded",
        "True",
        ("Succeeded", "The content was read anew.", ""),
        ("Unchanged", "There was nothing new.", ""),
    ),
    *_of(
        "SyncSucceeded",
        "False",
        (
            "Retrying",
            "The last sync failed; `status.syncStatus.error` says when it is tried again.",
            "`SourceAvailable` and `DataValid` say what failed.",
        ),
        (
            "Failed",
            "Trying again at once would change nothing, or was done `spec.syncPolicy.retry.maxRetries` times.",
            "Mend what the message names, then `thv registry sync NAME`; else it is tried at the interval.",
        ),
    ),
    *_of(
        "SyncSucceeded",
        "Unknown",
        (
            "Suspended",
            "`spec.syncPolicy.enabled` is false: it is synchronized when somebody asks for it.",
            "`thv registry resume NAME`, unless that is meant.",
        ),
    ),
    *_of(
        "APIReady",
        "True",
        ("Available", "The API answers at the address in the message.", ""),
        ("Disabled", "`spec.api.enabled` is false: the registry is only synchronized.", ""),
    ),
    *_of(
        "APIReady",
        "False",
        ("Deploying", "Its pods are on their way.", "Wait."),
        (
            "APIDeploymentUnavailable",
            "Its pods do not come about: an image, a crash, no place on a node, a right that is missing.",
            "The message says which; `kubectl describe deployment NAME-api` has more.",
        ),
        (
            "QuotaExceeded",
            "A quota of the namespace leaves no room for its pods.",
            "Raise the quota, or share pods: `spec.api.mode: shared`.",
        ),
    ),
    *_of("PolicySatisfied", "True", ("AllPromoted", "Nothing waits for promotion.", "")),
    *_of(
        "PolicySatisfied",
        "False",
        ("ApprovalPending", "Candidates wait for promotion; the message counts them.", ""),
    ),
    *_of(
        "Reconciling",
        "True",
        (
            "Progressing",
            "A long sync runs, or the first one waits for the registry that is the source; the message says which.",
            "Wait; `thv registry status` of that registry says what it waits for itself.",
        ),
        (
            "Retrying",
            "What is served is not what the source holds; it is tried again.",
            "`SourceAvailable` and `DataValid` say what failed.",
        ),
        ("APINotReady", "The API is on its way.", "Wait."),
    ),
    *_of(
        "Stalled",
        "True",
        ("Invalid", "The spec breaks a rule, which the message names.", "Correct the spec."),
        (
            "SourceTypeUnsupported",
            "This program cannot read sources of that type where it runs.",
            "Choose another type; `file` is for one machine alone.",
        ),
        (
            "RegistryCycle",
            "The registry is, over others, its own source.",
            "Break the circle in `spec.source.registry.registryRef` of one of them.",
        ),
    ),
)
"""Every reason that a registry may show."""
