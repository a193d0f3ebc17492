"""Accounts and sessions of the web page.

No use case of the core needs this port: use cases take any user id. A service with its own users implements neither
the port nor its entities.
"""

from datetime import datetime
from typing import Protocol

import msgspec


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Account. `email` is lower case. `password_hash` is None if the user cannot sign in with a password."""

    id: str
    email: str
    password_hash: str | None
    created_at: datetime


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Session of a signed-in user. It holds only a hash of the token, so a stolen table gives no access."""

    token_hash: str
    user_id: str
    created_at: datetime
    expires_at: datetime


class AccountStore(Protocol):
    """Store of accounts and sessions. Each method is one transaction, committed when it returns."""

    async def add(self, user: User) -> bool:
        """Add an account. Return False, and add nothing, if its email address is taken."""
        ...

    async def get(self, user_id: str) -> User | None:
        """Return the account with this id."""
        ...

    async def by_email(self, email: str) -> User | None:
        """Return the account with this email address, given in lower case."""
        ...

    async def add_session(self, session: Session) -> None:
        """Add a session of an existing user."""
        ...

    async def session(self, token_hash: str) -> tuple[Session, User] | None:
        """Return the session with this token hash, expired or not, and its user."""
        ...

    async def remove_session(self, token_hash: str) -> None:
        """Remove the session with this token hash. Do nothing if there is none."""
        ...

    async def remove_expired_sessions(self, now: datetime) -> int:
        """Remove the sessions whose `expires_at` is not after `now`, and return their number."""
        ...
