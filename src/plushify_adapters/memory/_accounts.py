"""Accounts and sessions in memory."""

from datetime import datetime

from plushify_core.ports import AccountStore, Session, User


class MemoryAccountStore(AccountStore):
    """Account store in dictionaries. No method awaits anything, so each is one transaction."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._ids: dict[str, str] = {}
        self._sessions: dict[str, Session] = {}

    async def add(self, user: User) -> bool:
        if user.email in self._ids:
            return False
        self._ids[user.email] = user.id
        self._users[user.id] = user
        return True

    async def get(self, user_id: str) -> User | None:
        return self._users.get(user_id)

    async def by_email(self, email: str) -> User | None:
        user_id = self._ids.get(email)
        return None if user_id is None else self._users[user_id]

    async def add_session(self, session: Session) -> None:
        self._sessions[session.token_hash] = session

    async def session(self, token_hash: str) -> tuple[Session, User] | None:
        session = self._sessions.get(token_hash)
        return None if session is None else (session, self._users[session.user_id])

    async def remove_session(self, token_hash: str) -> None:
        self._sessions.pop(token_hash, None)

    async def remove_expired_sessions(self, now: datetime) -> int:
        expired = [token_hash for token_hash, session in self._sessions.items() if session.expires_at <= now]
        for token_hash in expired:
            del self._sessions[token_hash]
        return len(expired)
