"""What happens in a world: operations and the weather, drawn from its seed."""

import random
from enum import StrEnum

import msgspec

MAX_REPLICAS = 3
MAX_OPERATIONS = 24
MAX_SKEW_S = 10


class Kind(StrEnum):
    """What a user, an operator or fate does."""

    MAKE = "make"
    MAKE_WITHIN_THE_REQUEST = "make within the request"
    RUN = "run"
    SWEEP = "sweep"
    DELETE = "delete"
    RESTORE = "restore"
    LOOK = "look"
    INTRUDE = "intrude"
    GRANT = "grant"
    CONSUME = "consume"
    ADJUST = "adjust"
    REFUND = "refund"
    KILL = "kill"
    FREEZE = "freeze"
    REDEPLOY = "redeploy"


WEIGHTS = {
    Kind.MAKE: 8,
    Kind.MAKE_WITHIN_THE_REQUEST: 6,
    Kind.RUN: 3,
    Kind.SWEEP: 3,
    Kind.DELETE: 5,
    Kind.RESTORE: 3,
    Kind.LOOK: 3,
    Kind.INTRUDE: 1,
    Kind.GRANT: 3,
    Kind.CONSUME: 1,
    Kind.ADJUST: 1,
    Kind.REFUND: 1,
    Kind.KILL: 1,
    Kind.FREEZE: 1,
    Kind.REDEPLOY: 1,
}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happens. `pick` (0 to 1) chooses a generation among those that are there then.

    A user goes away after `patience_s`, and asks up to `retries` times again when the connection breaks. The two
    requests of a `doubled` operation go out at once, to two replicas. `seconds` is how long a replica is away.
    """

    number: int
    at_s: float
    kind: Kind
    replica: int
    user: str
    key: str | None
    photo: int
    quality: str
    patience_s: float
    retries: int
    doubled: bool
    pick: float
    amount: int
    seconds: float


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How often a passage of a wire meets which fault, and what the model is like. Rates are probabilities."""

    cut_rate: float
    error_rate: float
    lost_answer_rate: float
    slow_rate: float
    late_write_rate: float
    stubborn_rate: float
    bad_model_rate: float
    slow_model_rate: float


CALM = Weather(
    cut_rate=0,
    error_rate=0,
    lost_answer_rate=0,
    slow_rate=0,
    late_write_rate=0,
    stubborn_rate=0,
    bad_model_rate=0,
    slow_model_rate=0,
)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A world before it begins. In some, credits expire after a minute or two.

    Faults whose names are `muted` do not happen: that is how a trace is shortened.
    """

    seed: int
    skews_s: tuple[float, ...]
    credits_expire: bool
    weather: Weather
    operations: tuple[Operation, ...]
    muted: frozenset[str] = frozenset()

    @property
    def duration_s(self) -> float:
        """When the last operation begins."""
        return max((operation.at_s for operation in self.operations), default=0.0)


def draw(seed: int) -> Plan:
    """The world of this seed. Each kind of fault is absent from some worlds, so that none hides another.

    In some worlds nothing fails, it only takes long.
    """
    dice = random.Random(f"plan {seed}")
    replicas = dice.randint(1, MAX_REPLICAS)
    unbroken = dice.random() < 0.25

    def rate(*rates: float, breaks: bool = False) -> float:
        drawn = dice.choice((0.0, *rates))
        return 0.0 if breaks and unbroken else drawn

    return Plan(
        seed=seed,
        skews_s=tuple(dice.uniform(-MAX_SKEW_S, MAX_SKEW_S) if dice.random() < 0.5 else 0.0 for _ in range(replicas)),
        credits_expire=dice.random() < 0.3,
        weather=Weather(
            cut_rate=rate(0.001, 0.003, 0.01, breaks=True),
            error_rate=rate(0.003, 0.01, 0.05, breaks=True),
            lost_answer_rate=rate(0.01, 0.03, 0.1, breaks=True),
            slow_rate=0.05 if unbroken else rate(0.003, 0.01, 0.05),
            late_write_rate=rate(0.05, 0.3),
            stubborn_rate=rate(0.3, 1.0),
            bad_model_rate=rate(0.1, 0.5),
            slow_model_rate=rate(0.1, 0.5),
        ),
        operations=_operations(dice, replicas, {Kind.KILL, Kind.REDEPLOY} if unbroken else set()),
    )


def _operations(dice: random.Random, replicas: int, without: set[Kind]) -> tuple[Operation, ...]:
    users = ["ann", "bob", "cleo"][: dice.randint(1, 3)]
    weights = [0 if kind in without else weight for kind, weight in WEIGHTS.items()]
    kinds = dice.choices(list(WEIGHTS), weights, k=dice.randint(4, MAX_OPERATIONS))
    kinds[0] = Kind.MAKE
    operations, at_s = [], 0.0
    for number, kind in enumerate(kinds):
        key = dice.choice([None, "k1", "k2", "k3"])
        operations.append(
            Operation(
                number=number,
                at_s=at_s,
                kind=kind,
                replica=dice.randrange(replicas),
                user=dice.choice(users),
                key=key,
                # Mostly the photo that belongs to the key: then a request with the same key is a replay.
                photo=dice.randrange(4) if key is None or dice.random() < 0.1 else int(key[1]),
                quality=dice.choice(["standard", "standard", "high"]),
                patience_s=dice.choice([0.5, 5.0, 30.0, 120.0, 120.0]),
                retries=dice.choice([0, 1, 3]),
                doubled=dice.random() < 0.2,
                pick=dice.random(),
                amount=dice.randint(1, 4),
                seconds=dice.choice([1.0, 20.0, 45.0, 130.0]),
            )
        )
        at_s += dice.choice([0.0, 0.01, 0.1, 1.0, 10.0, 31.0])
    return tuple(operations)
