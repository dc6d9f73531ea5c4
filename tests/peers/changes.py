"""Random changes of an official registry, as publishers make them: the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.peers.official import NAMESPACE, Official

_WORDS = ["alpha", "Beta", "gamma.x", "delta_y", "Epsilon-z", "zeta", "a", "Z9", "eta--theta"]
_STATUSES = ["active", "deprecated", "deleted"]


class Publishers:
    """Everybody who publishes to one registry, and what they have there."""

    def __init__(self, official: Official, seed: int) -> None:
        self._official = official
        self._random = random.Random(seed)
        self._statuses: dict[str, dict[str, str]] = {}
        self.done: list[str] = []
        """What happened, for whoever reads a failure."""

    def change(self) -> None:
        """One change; the shares are guesses at what happens in a busy minute."""
        kinds: list[tuple[int, Callable[[], None]]] = [
            (25, self._new_server),
            (30, self._new_version),
            (20, self._status_of_one),
            (8, self._status_of_all),
            (7, self._edit),
        ]
        weights = [weight for weight, _ in kinds]
        chosen = self._random.choices(kinds, weights)[0][1]
        (chosen if self._statuses else self._new_server)()

    def _new_server(self) -> None:
        name = f"{self._random.choice(_WORDS)}-{len(self._statuses)}"
        self._statuses[name] = {}
        self._publish(name)

    def _new_version(self) -> None:
        self._publish(self._a_name())

    def _publish(self, name: str) -> None:
        version = self._a_version()
        if version in self._statuses[name]:
            return self._status_of_one()
        self._official.publish(
            name, version, title=f"As of {len(self.done)}", **self._content(name)
        )
        self._statuses[name][version] = "active"
        return self._note(f"publish {name} {version}")

    def _status_of_one(self) -> None:
        name = self._a_name()
        version = self._random.choice(sorted(self._statuses[name]))
        status = self._another({self._statuses[name][version]})
        self._official.set_status(name, version, status, self._message(status))
        self._statuses[name][version] = status
        self._note(f"{status} {name} {version}")

    def _status_of_all(self) -> None:
        name = self._a_name()
        versions = self._statuses[name]
        status = self._another(set(versions.values()))
        self._official.set_status(name, "", status, self._message(status))
        self._statuses[name] = dict.fromkeys(versions, status)
        self._note(f"{status} {name}")

    def _edit(self) -> None:
        alive = [
            (name, version)
            for name, versions in sorted(self._statuses.items())
            for version, status in sorted(versions.items())
            if status != "deleted"
        ]
        if alive:
            name, version = self._random.choice(alive)
            self._official.edit(name, version, description=f"Edited at {len(self.done)}")
            self._note(f"edit {name} {version}")

    def _a_name(self) -> str:
        return self._random.choice(sorted(self._statuses))

    def _a_version(self) -> str:
        parts = [self._random.randrange(4) for _ in range(3)]
        core = ".".join(map(str, parts))
        rare = [
            f"{core}-rc.{parts[0]}",
            f"v{core}",
            f"2026.{parts[1]}",
            f"build{parts[2]}",
            f"{core}+b{parts[0]}",
        ]
        return self._random.choice(rare) if self._random.random() < 0.3 else core

    def _content(self, name: str) -> dict[str, object]:
        """Packages or remotes; a remote URL belongs to one server only."""
        host = f"https://{name.lower().replace('_', '-').replace('.', '-')}.example.com/mcp"
        return self._random.choice(
            [
                {},
                {"remotes": [{"type": "streamable-http", "url": host}]},
                {"repository": {"url": f"https://github.com/example/{name}", "source": "github"}},
                {"websiteUrl": f"https://example.com/{name}"},
            ]
        )

    def _another(self, present: set[str]) -> str:
        """One that changes something: any will, where there are several."""
        usual = present if len(present) == 1 else set()
        return self._random.choice([status for status in _STATUSES if status not in usual])

    def _message(self, status: str) -> str:
        return "" if status == "active" else self._random.choice(["", f"since {len(self.done)}"])

    def _note(self, what: str) -> None:
        self.done.append(f"{len(self.done)}: {what}")


def full_name(name: str) -> str:
    return f"{NAMESPACE}/{name}"
