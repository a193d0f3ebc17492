"""SQL store: the same code runs on SQLite, for one machine, and on PostgreSQL, for many replicas."""

from plushify_adapters.sql._accounts import SqlAccountStore
from plushify_adapters.sql._store import SqlStore

__all__ = ["SqlAccountStore", "SqlStore"]
