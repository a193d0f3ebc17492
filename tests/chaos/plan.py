"""What will happen, from a seed: the faults in their order, and what each user asks for."""

import itertools
import random
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What can be done to the service."""

    KILL = "replicas killed"
    KILL_WORKER = "workers killed"
    STOP = "replicas stopped in order"
    CUT = "database connections cut"
    SILENT = "database silenced"
    STORE_DOWN = "object store stopped"
    STORE_HANGS = "object store hung"
    DISK_FULL = "disk full"
    GRANT = "credits granted"


KILLS = (Kind.KILL, Kind.KILL_WORKER)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One of them: `after_s` seconds after the one before, to this replica or user (modulo how many there are). It
    `lasts_s` seconds, where it lasts."""

    kind: Kind
    after_s: float
    target: int
    lasts_s: float


class Manner(StrEnum):
    """How a user submits."""

    WAIT = "waits for the picture"
    ASYNC = "asks again until it is there"
    TWICE = "sends it to two replicas at once"
    IMPATIENT = "hangs up, and sends it again"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """One plushie that a user wants, and whether they delete it and want it back."""

    number: int
    style: str
    quality: str
    manner: Manner
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
"""The scenarios of the emulator that the image model answers with, and how often of a hundred times."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be known beforehand.

    Args:
        seed: where all of it comes from.
        generations: how many must be accepted at least.
        kills: how many replicas or workers die by SIGKILL.
        others: the faults of the site, of which there is one of each for every three kills.
        users: how many people use it at once.
        replicas: how many servers there are.
        spacing_s: the mean time between two faults.
    """

    seed: int
    generations: int = 240
    kills: int = 24
    others: Sequence[Kind] = ()
    users: int = 6
    replicas: int = 2
    spacing_s: float = 8.0

    def faults(self) -> list[Fault]:
        """The faults, in order."""
        dice = random.Random(f"faults {self.seed}")
        kinds = [Kind.KILL if dice.random() < 0.75 else Kind.KILL_WORKER for _ in range(self.kills)]
        for other in self.others:
            kinds += [other] * max(1, self.kills // 3)
        kinds += [Kind.STOP, Kind.GRANT] * (self.kills // 4)
        dice.shuffle(kinds)
        return [
            Fault(
                kind=kind,
                after_s=dice.uniform(0.1, 2 * self.spacing_s),
                target=dice.randrange(1000),
                lasts_s=dice.uniform(0.5, 4.0),
            )
            for kind in kinds
        ]

    def wishes(self, user: int) -> Iterator[Wish]:
        """What a user wants, without end."""
        dice = random.Random(f"user {user} {self.seed}")
        for number in itertools.count():
            delete = dice.random() < 0.25
            yield Wish(
                number=number,
                style=dice.choice(("classic", "kawaii", "cartoon")),
                quality=dice.choices(("standard", "high"), (3, 1))[0],
                manner=dice.choice(list(Manner)),
                pause_s=dice.uniform(0.2, 3.0),
                delete=delete,
                restore=delete and dice.random() < 0.5,
            )

    def answers(self) -> list[dict[str, object]]:
        """How the image model answers, call by call: mostly well, and now and then in each way that matters."""
        dice = random.Random(f"model {self.seed}")
        drawn = dice.choices(list(ANSWERS), list(ANSWERS.values()), k=3 * self.generations)
        return [{"scenario": name, "latency_s": dice.uniform(0.3, 2.0)} for name in drawn]
