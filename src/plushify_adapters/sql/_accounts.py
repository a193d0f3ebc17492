"""Accounts and sessions in SQL."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from plushify_adapters.sql._statements import insert_or_nothing
from plushify_adapters.sql._tables import SESSIONS, USERS
from plushify_core import ports
from plushify_core.ports import Session, User

_SESSION_AND_USER = (
    select(SESSIONS, USERS)
    .join(USERS, SESSIONS.c.user_id == USERS.c.id)
    .where(SESSIONS.c.token_hash == bindparam("token_hash"))
)


@dataclass(frozen=True, eq=False)
class SqlAccountStore(ports.AccountStore):
    """Account store in the database of a `SqlStore`.

    Args:
        engine: engine of that store (`SqlStore.engine`).
    """

    engine: AsyncEngine

    async def add(self, user: User) -> bool:
        async with self.engine.begin() as connection:
            return await insert_or_nothing(connection, USERS, msgspec.structs.asdict(user), "email")

    async def get(self, user_id: str) -> User | None:
        return await self._user(USERS.c.id == user_id)

    async def by_email(self, email: str) -> User | None:
        return await self._user(USERS.c.email == email)

    async def add_session(self, session: Session) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(insert(SESSIONS).values(**msgspec.structs.asdict(session)))

    async def session(self, token_hash: str) -> tuple[Session, User] | None:
        async with self.engine.begin() as connection:
            row = (await connection.execute(_SESSION_AND_USER, {"token_hash": token_hash})).one_or_none()
        if row is None:
            return None
        width = len(SESSIONS.c)
        session = dict(zip(SESSIONS.c.keys(), row[:width], strict=True))
        user = dict(zip(USERS.c.keys(), row[width:], strict=True))
        return Session(**session), User(**user)

    async def remove_session(self, token_hash: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(delete(SESSIONS).where(SESSIONS.c.token_hash == token_hash))

    async def remove_expired_sessions(self, now: datetime) -> int:
        token_hash = SESSIONS.c.token_hash
        # Sessions that a concurrent call is about to remove are skipped.
        expired = select(token_hash).where(SESSIONS.c.expires_at <= now).with_for_update(skip_locked=True)
        async with self.engine.begin() as connection:
            return (await connection.execute(delete(SESSIONS).where(token_hash.in_(expired)))).rowcount

    async def _user(self, condition: ColumnElement[bool]) -> User | None:
        async with self.engine.begin() as connection:
            row = (await connection.execute(select(USERS).where(condition))).one_or_none()
        return None if row is None else User(**row._mapping)
