"""Tables: one per entity, with a column for each of its fields.

Every query has an index, and every index has a query. Ids of generations are not foreign keys, because ledger entries
and model calls are kept when their generation is removed. Ids of users do not refer to `USERS`, because the
users may be those of another service.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TextClause,
    UniqueConstraint,
    Uuid,
    text,
)

from plushify_adapters.sql._columns import USER_ID, JsonStruct, UtcDateTime, enum
from plushify_core.domain.generation import Failure, Status, StoredImage
from plushify_core.domain.ledger import EntryKind
from plushify_core.domain.model_call import Billing, Outcome

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _partial_index(table: Table, name: str, *columns: str, where: TextClause | str, unique: bool = False) -> None:
    indexed = (table.c[column] for column in columns)
    where = text(where) if isinstance(where, str) else where
    prefix = "uq" if unique else "ix"
    Index(f"{prefix}_{table.name}_{name}", *indexed, unique=unique, sqlite_where=where, postgresql_where=where)


GENERATIONS = Table(
    "generations",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("user_id", USER_ID, nullable=False),
    Column("style", Text, nullable=False),
    Column("quality", Text, nullable=False),
    Column("credits_cost", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deadline_at", UtcDateTime, nullable=False),
    Column("status", enum(Status), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("original", JsonStruct(StoredImage)),
    Column("generated", JsonStruct(StoredImage)),
    Column("thumbnail", JsonStruct(StoredImage)),
    Column("placeholder", Text),
    Column("failure", JsonStruct(Failure)),
    Column("completed_at", UtcDateTime),
    Column("untidy_since", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("purging", Boolean, nullable=False),
    UniqueConstraint("user_id", "idempotency_key"),
)
_partial_index(GENERATIONS, "gallery", "user_id", "id", where="deleted_at IS NULL")
_partial_index(GENERATIONS, "untidy", "untidy_since", "id", where="untidy_since IS NOT NULL")
_partial_index(GENERATIONS, "trash", "deleted_at", "id", where="deleted_at IS NOT NULL")
# Only unfinished generations have a lease, so these two indexes stay small.
_partial_index(GENERATIONS, "leases", "lease_until", "id", where="lease_until IS NOT NULL")
_partial_index(GENERATIONS, "unfinished", "user_id", where="lease_until IS NOT NULL")

SUBSCRIPTIONS = Table(
    "subscriptions",
    METADATA,
    Column("user_id", USER_ID, primary_key=True),
    Column("plan", Text, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_expiry_at", UtcDateTime),
    # A second guard: `SqlCredits.post` refuses such a posting first.
    CheckConstraint("balance >= 0", name="balance_not_negative"),
)
_partial_index(SUBSCRIPTIONS, "expiring", "next_expiry_at", where="next_expiry_at IS NOT NULL")

LEDGER_ENTRIES = Table(
    "ledger_entries",
    METADATA,
    Column("id", Uuid, primary_key=True),
    # Deferred to the commit, so that `SqlCredits.post` can refuse a user without a subscription itself.
    Column(
        "user_id",
        USER_ID,
        ForeignKey(SUBSCRIPTIONS.c.user_id, deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    Column("kind", enum(EntryKind), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("generation_id", Uuid),
    Column("expires_at", UtcDateTime),
    Column("expires_grant", Uuid),
    Column("idempotency_key", Text),
    UniqueConstraint("generation_id", "kind"),
    UniqueConstraint("expires_grant"),
    Index(None, "user_id", "id"),
)
HAS_IDEMPOTENCY_KEY = text("idempotency_key IS NOT NULL")
# Few entries have a key, so this index stays small.
_partial_index(LEDGER_ENTRIES, "idempotency_key", "user_id", "idempotency_key", where=HAS_IDEMPOTENCY_KEY, unique=True)

USERS = Table(
    "users",
    METADATA,
    Column("id", USER_ID, primary_key=True),
    Column("email", Text, nullable=False),
    Column("password_hash", Text),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("email"),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("token_hash", Text, primary_key=True),
    Column("user_id", USER_ID, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index(None, "expires_at"),
)

# Each fact of a call has a column, so that the database can sum the costs.
MODEL_CALLS = Table(
    "model_calls",
    METADATA,
    Column("generation_id", Uuid, primary_key=True),
    Column("user_id", USER_ID, nullable=False),
    Column("style", Text, nullable=False),
    Column("quality", Text, nullable=False),
    Column("model_asked", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("outcome", enum(Outcome), nullable=False),
    Column("billing", enum(Billing), nullable=False),
    Column("reason", Text),
    Column("model", Text),
    Column("provider", Text),
    Column("provider_call_id", Text),
    Column("finish_reason", Text),
    Column("error_type", Text),
    Column("cost_nano_usd", BigInteger),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("expected_cost_nano_usd", BigInteger),
    Index(None, "started_at"),
    Index(None, "user_id", "started_at"),
)

ONLY_ROW = 1
"""Primary key of the only row of `INSTALLATION`."""

INSTALLATION = Table(
    "installation",
    METADATA,
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("id", Uuid, nullable=False),
    Column("storage_marked", Boolean, nullable=False),
    CheckConstraint(f"singleton = {ONLY_ROW}", name="one_row"),
)
