"""The store on SQL: SQLite for one machine, PostgreSQL for many replicas, by the same code."""

from plushify_adapters.sql.accounts import SqlAccountStore
from plushify_adapters.sql.store import SqlStore

__all__ = ["SqlAccountStore", "SqlStore"]
