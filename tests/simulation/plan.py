"""Plan of a world: its operations and its rates of faults, drawn from the seed."""

import random
from enum import StrEnum

import msgspec

MAX_REPLICAS = 3
MAX_OPERATIONS = 24
MAX_SKEW_S = 60


class Kind(StrEnum):
    """Action of a user or an operator, or a fault of a whole replica."""

    MAKE = "make"
    MAKE_WITHIN_THE_REQUEST = "make within the request"
    RUN = "run"
    SWEEP = "sweep"
    DELETE = "delete"
    RESTORE = "restore"
    VIEW = "view"
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
    Kind.VIEW: 3,
    Kind.INTRUDE: 1,
    Kind.GRANT: 3,
    Kind.CONSUME: 1,
    Kind.ADJUST: 1,
    Kind.REFUND: 1,
    Kind.KILL: 1,
    Kind.FREEZE: 1,
    Kind.REDEPLOY: 1,
}
"""Relative frequency of each kind."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One action or fault. An operation ignores the fields that its kind does not need.

    Args:
        number: position in the plan.
        at_s: virtual time at which it begins.
        kind: what it does.
        replica: number of the replica that receives it.
        user: user who requests it.
        key: idempotency key.
        photo: number of the uploaded photo.
        quality: requested quality.
        patience_s: time after which the user stops waiting.
        retries: how often the user repeats a request that got no response.
        duplicated: whether the request is sent to two replicas at the same time.
        pick: choice of an existing generation, from 0 (the first) to below 1 (the last).
        amount: credits of a posting.
        freeze_s: how long a frozen replica is suspended.
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
    duplicated: bool
    pick: float
    amount: int
    freeze_s: float


class FaultRates(msgspec.Struct, frozen=True, kw_only=True):
    """Probabilities of faults.

    The rates of crashes, errors, lost answers, slow calls and late writes apply at each passage of a gate before or
    after a call to a port. The others apply to each call of the image model.
    """

    crash: float
    error: float
    lost_answer: float
    slow: float
    late_write: float
    stubborn_model: float
    model_failure: float
    slow_model: float


NO_FAULTS = FaultRates(
    crash=0, error=0, lost_answer=0, slow=0, late_write=0, stubborn_model=0, model_failure=0, slow_model=0
)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that determines a world.

    Args:
        seed: seed of all random choices.
        skews_s: for each replica, how far its clock is ahead.
        credits_expire: whether granted credits expire after a short time.
        rates: rates of faults.
        operations: operations in the order of time.
        muted: names of faults that are suppressed, to shorten a trace.
    """

    seed: int
    skews_s: tuple[float, ...]
    credits_expire: bool
    rates: FaultRates
    operations: tuple[Operation, ...]
    muted: frozenset[str] = frozenset()


def random_plan(seed: int) -> Plan:
    """Return the plan with this seed.

    Each kind of fault is absent from some plans, so that it cannot hide another kind. In some plans nothing fails, but
    calls are slow.
    """
    rng = random.Random(f"plan {seed}")
    replicas = rng.randint(1, MAX_REPLICAS)
    only_slow = rng.random() < 0.25

    def rate(*rates: float, is_failure: bool = False) -> float:
        drawn = rng.choice((0.0, *rates))
        return 0.0 if is_failure and only_slow else drawn

    return Plan(
        seed=seed,
        skews_s=tuple(rng.uniform(-MAX_SKEW_S, MAX_SKEW_S) if rng.random() < 0.5 else 0.0 for _ in range(replicas)),
        credits_expire=rng.random() < 0.3,
        rates=FaultRates(
            crash=rate(0.001, 0.003, 0.01, is_failure=True),
            error=rate(0.003, 0.01, 0.05, is_failure=True),
            lost_answer=rate(0.01, 0.03, 0.1, is_failure=True),
            slow=0.05 if only_slow else rate(0.003, 0.01, 0.05),
            late_write=rate(0.05, 0.3),
            stubborn_model=rate(0.3, 1.0),
            model_failure=rate(0.1, 0.5),
            slow_model=rate(0.1, 0.5),
        ),
        operations=_operations(rng, replicas, excluded={Kind.KILL, Kind.REDEPLOY} if only_slow else set()),
    )


def _operations(rng: random.Random, replicas: int, *, excluded: set[Kind]) -> tuple[Operation, ...]:
    users = ["ann", "bob", "cleo"][: rng.randint(1, 3)]
    weights = [0 if kind in excluded else weight for kind, weight in WEIGHTS.items()]
    kinds = rng.choices(list(WEIGHTS), weights, k=rng.randint(4, MAX_OPERATIONS))
    kinds[0] = Kind.MAKE
    operations, at_s = [], 0.0
    for number, kind in enumerate(kinds):
        key = rng.choice([None, "k1", "k2", "k3"])
        operations.append(
            Operation(
                number=number,
                at_s=at_s,
                kind=kind,
                replica=rng.randrange(replicas),
                user=rng.choice(users),
                key=key,
                # Usually each key has its own photo, so that a request with the same key is a replay.
                photo=rng.randrange(4) if key is None or rng.random() < 0.1 else int(key[1]),
                quality=rng.choice(["standard", "standard", "high"]),
                patience_s=rng.choice([0.5, 5.0, 30.0, 120.0, 120.0]),
                retries=rng.choice([0, 1, 3]),
                duplicated=rng.random() < 0.2,
                pick=rng.random(),
                amount=rng.randint(1, 4),
                freeze_s=rng.choice([1.0, 20.0, 45.0, 130.0]),
            )
        )
        at_s += rng.choice([0.0, 0.01, 0.1, 1.0, 10.0, 31.0])
    return tuple(operations)
