"""Accounts and sessions, in SQL."""

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, delete, insert, select

from plushify_adapters.sql.statements import Repository
from plushify_adapters.sql.tables import SESSIONS, USERS
from plushify_core import ports
from plushify_core.users import Session, User


class SqlUsers(Repository, ports.Users):
    """Who has an account, and who is signed in."""

    async def add(self, user: User) -> bool:
        """Add an account, unless its address is taken."""
        return await self._insert_or_nothing(USERS, msgspec.structs.asdict(user), "email")

    async def get(self, user_id: str) -> User | None:
        """The account with this id."""
        return await self._user(USERS.c.id == user_id)

    async def by_email(self, email: str) -> User | None:
        """The account with this address."""
        return await self._user(USERS.c.email == email)

    async def add_session(self, session: Session) -> None:
        """Sign someone in."""
        await self._connection.execute(insert(SESSIONS).values(**msgspec.structs.asdict(session)))

    async def session(self, token_hash: str) -> Session | None:
        """The session with this token."""
        query = select(SESSIONS).where(SESSIONS.c.token_hash == token_hash)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else Session(**row._mapping)

    async def remove_session(self, token_hash: str) -> None:
        """Sign someone out."""
        await self._connection.execute(delete(SESSIONS).where(SESSIONS.c.token_hash == token_hash))

    async def remove_expired_sessions(self, now: datetime) -> int:
        """Forget the sessions that are over, but for those that another sweep is about to forget."""
        token_hash = SESSIONS.c.token_hash
        over = select(token_hash).where(SESSIONS.c.expires_at <= now).with_for_update(skip_locked=True)
        return (await self._connection.execute(delete(SESSIONS).where(token_hash.in_(over)))).rowcount

    async def _user(self, condition: ColumnElement[bool]) -> User | None:
        row = (await self._connection.execute(select(USERS).where(condition))).one_or_none()
        return None if row is None else User(**row._mapping)
