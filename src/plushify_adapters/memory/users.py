"""Accounts and sessions, in memory."""

from datetime import datetime

from plushify_adapters.memory.tables import Repository
from plushify_core import ports
from plushify_core.users import Session, User


class MemoryUsers(Repository, ports.Users):
    """Accounts and sessions, in memory."""

    async def add(self, user: User) -> bool:
        if user.email in self._tables.emails:
            return False
        self._tables.emails[user.email] = user.id
        self._tables.users[user.id] = user
        return True

    async def get(self, user_id: str) -> User | None:
        return self._tables.users.get(user_id)

    async def by_email(self, email: str) -> User | None:
        user_id = self._tables.emails.get(email)
        return None if user_id is None else self._tables.users[user_id]

    async def add_session(self, session: Session) -> None:
        self._tables.sessions[session.token_hash] = session

    async def session(self, token_hash: str) -> Session | None:
        return self._tables.sessions.get(token_hash)

    async def remove_session(self, token_hash: str) -> None:
        self._tables.sessions.pop(token_hash, None)

    async def remove_expired_sessions(self, now: datetime) -> int:
        over = [token for token, session in self._tables.sessions.items() if session.expires_at <= now]
        for token in over:
            del self._tables.sessions[token]
        return len(over)
