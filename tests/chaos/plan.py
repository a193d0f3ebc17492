"""Plan of a storm, drawn from a seed: the faults, the requests of users, and the answers of the image model."""

import itertools
import random
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """Kind of fault, or of another action on the service."""

    KILL = "replicas killed"
    KILL_WORKER = "workers killed"
    STOP = "replicas shut down gracefully"
    CONNECTIONS_CUT = "database connections cut"
    DATABASE_SILENT = "database silent"
    STORE_DOWN = "object store stopped"
    STORE_HANGS = "object store hung"
    DISK_FULL = "disk full"
    GRANT = "credits granted"


KILLS = (Kind.KILL, Kind.KILL_WORKER)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault.

    Args:
        kind: kind of fault.
        after_s: seconds since the previous fault.
        target: number of the affected replica or user, modulo their count.
        lasts_s: duration, if this kind has one.
    """

    kind: Kind
    after_s: float
    target: int
    lasts_s: float


class Mode(StrEnum):
    """Way in which a user submits a request."""

    WAIT = "wait for the picture"
    POLL = "repeat the request until the picture is ready"
    TWICE = "send it to two replicas at once"
    DISCONNECT = "disconnect early, and send it again"


class PlannedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a user.

    Args:
        number: position among the requests of the user.
        style, quality: as in the catalog.
        mode: how it is sent.
        pause_s: pause before it.
        delete: whether the user deletes the picture.
        restore: whether the user restores the deleted picture.
    """

    number: int
    style: str
    quality: str
    mode: Mode
    pause_s: float
    delete: bool
    restore: bool


ANSWERS = {
    "ok": 80,
    "content_policy": 3,
    "rate_limited": 3,
    "upstream_error": 3,
    "no_picture": 2,
    "error_in_200": 2,
    "cut_short": 2,
    "drop": 2,
    "not_a_picture": 2,
    "stall": 1,
}
"""Scenarios of the emulated image model, with their frequency in percent."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is determined before a storm.

    Args:
        seed: seed of all random choices.
        generations: least number of generations that must be accepted.
        kills: number of SIGKILLs to replicas or workers.
        others: kinds of faults of the site. Each happens once per three kills, and at least once.
        users: number of concurrent users.
        replicas: number of servers.
        spacing_s: mean time between two faults.
    """

    seed: int
    generations: int = 240
    kills: int = 24
    others: Sequence[Kind] = ()
    users: int = 6
    replicas: int = 2
    spacing_s: float = 8.0

    def faults(self) -> list[Fault]:
        """Return the faults in the order of time."""
        rng = random.Random(f"faults {self.seed}")
        kinds = [Kind.KILL if rng.random() < 0.75 else Kind.KILL_WORKER for _ in range(self.kills)]
        for other in self.others:
            kinds += [other] * max(1, self.kills // 3)
        kinds += [Kind.STOP, Kind.GRANT] * (self.kills // 4)
        rng.shuffle(kinds)
        return [
            Fault(
                kind=kind,
                after_s=rng.uniform(0.1, 2 * self.spacing_s),
                target=rng.randrange(1000),
                lasts_s=rng.uniform(0.5, 4.0),
            )
            for kind in kinds
        ]

    def requests(self, user: int) -> Iterator[PlannedRequest]:
        """Yield the requests of a user, without end."""
        rng = random.Random(f"user {user} {self.seed}")
        for number in itertools.count():
            delete = rng.random() < 0.25
            yield PlannedRequest(
                number=number,
                style=rng.choice(("classic", "kawaii", "cartoon")),
                quality=rng.choices(("standard", "high"), (3, 1))[0],
                mode=rng.choice(list(Mode)),
                pause_s=rng.uniform(0.2, 3.0),
                delete=delete,
                restore=delete and rng.random() < 0.5,
            )

    def answers(self) -> list[dict[str, object]]:
        """Return the answers of the image model in the order of its calls."""
        rng = random.Random(f"model {self.seed}")
        drawn = rng.choices(list(ANSWERS), list(ANSWERS.values()), k=3 * self.generations)
        return [{"scenario": name, "latency_s": rng.uniform(0.3, 2.0)} for name in drawn]
