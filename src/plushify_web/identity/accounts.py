"""Accounts with passwords, and their sessions."""

import asyncio
import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from plushify_core import CreditsUseCase, InvalidInput, Reason, Session, Unauthorized, User
from plushify_core.ports import AccountStore, Clock, NewId

PASSWORD_MIN_CHARS = 8
PASSWORD_MAX_CHARS = 128
"""Bounds of a password. NIST SP 800-63B section 5.1.1.2 asks for a minimum of 8 and a maximum of 64 or more. There is a
maximum because long passwords make hashing slow."""

EMAIL_MAX_CHARS = 254
"""Longest address that mail can be sent to (RFC 5321 section 4.5.3.1.3)."""

TOKEN_BYTES = 32

CONCURRENT_HASHES = 4
"""Limit of concurrent hashes, which bounds the load of many sign-ins. Each takes 64 MiB and about 50 ms of a core."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")
"""Addresses that browsers accept in `<input type=email>`: https://html.spec.whatwg.org/#valid-e-mail-address"""


@dataclass(kw_only=True, eq=False)
class Accounts:
    """Accounts with passwords: sign-up, sign-in, and the user of a session token.

    Args:
        store: database of accounts and sessions.
        credits: creates the subscription of a new user.
        hasher: argon2id with its parameters.
        clock: current time.
        new_id: ids of new users.
        session_lifetime: time from sign-in to the expiry of the session.
    """

    store: AccountStore
    credits: CreditsUseCase
    hasher: PasswordHasher
    clock: Clock
    new_id: NewId
    session_lifetime: timedelta
    _hashing: asyncio.Semaphore = field(init=False, default_factory=lambda: asyncio.Semaphore(CONCURRENT_HASHES))
    _decoy: str | None = field(init=False, default=None)

    async def sign_up(self, email: str, password: str) -> User:
        """Create an account, and its subscription with the free credits.

        Raises:
            InvalidInput: `invalid_email`, `password_too_short`, `password_too_long`, `email_taken`.
        """
        address = normalised(email)
        if len(password) < PASSWORD_MIN_CHARS:
            raise InvalidInput(
                Reason.PASSWORD_TOO_SHORT, f"Choose a password of at least {PASSWORD_MIN_CHARS} characters."
            )
        if len(password) > PASSWORD_MAX_CHARS:
            raise InvalidInput(
                Reason.PASSWORD_TOO_LONG, f"Choose a password of at most {PASSWORD_MAX_CHARS} characters."
            )
        return await self._add(address, await self._hash(password))

    async def sign_in(self, email: str, password: str) -> User:
        """Return the user with this address and password.

        The call takes the same time whether or not the account exists, so the time does not reveal it.

        Raises:
            Unauthorized: `wrong_password`.
        """
        user = await self.find(email)
        if len(password) > PASSWORD_MAX_CHARS:
            raise Unauthorized(Reason.WRONG_PASSWORD)
        if self._decoy is None:
            self._decoy = await self._hash(secrets.token_urlsafe())  # verified if there is no account
        password_hash = user.password_hash if user else None
        if not await self._verify(password_hash or self._decoy, password) or user is None or password_hash is None:
            raise Unauthorized(Reason.WRONG_PASSWORD)
        return user

    async def find(self, email: str) -> User | None:
        """Return the account with this address; None for an invalid address."""
        try:
            address = normalised(email)
        except InvalidInput:
            return None
        return await self.store.by_email(address)

    async def get_or_create(self, email: str) -> User:
        """Return the account with this address. A new one has no password, so nobody can sign in to it.

        Raises:
            InvalidInput: `invalid_email`.
        """
        return await self.find(email) or await self._add(normalised(email), None)

    async def open_session(self, user: User) -> str:
        """Create a session of the user.

        Returns:
            The token of the session. Only its hash is stored.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self.clock()
        await self.store.add_session(
            Session(
                token_hash=_token_hash(token),
                user_id=user.id,
                created_at=now,
                expires_at=now + self.session_lifetime,
            )
        )
        return token

    async def user_by_token(self, token: str) -> User | None:
        """Return the user of this session token; None if the session does not exist or has expired."""
        found = await self.store.session(_token_hash(token))
        if found is None:
            return None
        session, user = found
        return None if session.expires_at <= self.clock() else user

    async def close_session(self, token: str) -> None:
        """Remove the session with this token."""
        await self.store.remove_session(_token_hash(token))

    async def remove_expired_sessions(self) -> int:
        """Remove the expired sessions, and return their number. This is a periodic job."""
        return await self.store.remove_expired_sessions(self.clock())

    async def _add(self, address: str, password_hash: str | None) -> User:
        user = User(id=str(self.new_id()), email=address, password_hash=password_hash, created_at=self.clock())
        if not await self.store.add(user):
            raise InvalidInput(Reason.EMAIL_TAKEN)
        await self.credits.ensure_subscription(user.id)
        return user

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self.hasher.hash, _composed(password))

    async def _verify(self, password_hash: str, password: str) -> bool:
        async with self._hashing:
            try:
                return await asyncio.to_thread(self.hasher.verify, password_hash, _composed(password))
            except (VerificationError, InvalidHashError):
                return False


def normalised(email: str) -> str:
    """Return the address in lower case, without surrounding spaces.

    Raises:
        InvalidInput: `invalid_email`.
    """
    address = email.strip().lower()
    if len(address) > EMAIL_MAX_CHARS or not _EMAIL.fullmatch(address):
        raise InvalidInput(Reason.INVALID_EMAIL)
    return address


def _composed(password: str) -> str:
    """Return the password in Unicode form NFKC, which is the same for every keyboard (NIST SP 800-63B 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _token_hash(token: str) -> str:
    """Return the hash under which a token is stored. A token is random, so the hash needs neither salt nor rounds."""
    return hashlib.sha256(token.encode()).hexdigest()
