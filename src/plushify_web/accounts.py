"""Accounts with passwords, and who is signed in."""

import asyncio
import hashlib
import re
import secrets
import unicodedata
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from plushify_core import InvalidInput, Reason, Session, Unauthorized, User
from plushify_core.credits import CreditsUseCase
from plushify_core.ports import Clock, NewId, Store

PASSWORD_MIN_CHARS = 8
PASSWORD_MAX_CHARS = 128
"""At least 8, at most no less than 64 (NIST SP 800-63B section 5.1.1.2); an upper end, because hashing costs."""

EMAIL_MAX_CHARS = 254
"""The longest address that a mail can be sent to (RFC 5321 section 4.5.3.1.3)."""

TOKEN_BYTES = 32

HASHES_AT_ONCE = 4
"""Each takes 64 MiB and a core for some 50 ms: more at once would only make a flood of sign-ins costlier."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")
"""What browsers take in `<input type=email>`: https://html.spec.whatwg.org/#valid-e-mail-address"""


class Accounts:
    """Signs up, signs in, and knows who holds a session token.

    Args:
        hasher: argon2id with its parameters.
        session_lifetime: how long somebody stays signed in, from the sign-in on.
    """

    def __init__(
        self,
        *,
        store: Store,
        credits_use_case: CreditsUseCase,
        hasher: PasswordHasher,
        clock: Clock,
        new_id: NewId,
        session_lifetime: timedelta,
    ) -> None:
        self._store = store
        self._credits = credits_use_case
        self._hasher = hasher
        self._clock = clock
        self._new_id = new_id
        self._session_lifetime = session_lifetime
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)
        self._decoy: str | None = None

    async def sign_up(self, email: str, password: str) -> User:
        """Make an account, and its subscription with the free credits.

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
        """The user with this address and password.

        An address without an account takes as long as one with it, so that time tells nobody who has one.

        Raises:
            Unauthorized: `wrong_password`.
        """
        user = await self.find(email)
        if len(password) > PASSWORD_MAX_CHARS:
            raise Unauthorized(Reason.WRONG_PASSWORD)
        if self._decoy is None:
            self._decoy = await self._hash(secrets.token_urlsafe())
        password_hash = user.password_hash if user else None
        if not await self._verify(password_hash or self._decoy, password) or user is None or password_hash is None:
            raise Unauthorized(Reason.WRONG_PASSWORD)
        return user

    async def find(self, email: str) -> User | None:
        """The account with this address; what is no address has none."""
        try:
            address = normalised(email)
        except InvalidInput:
            return None
        async with self._store.begin() as tx:
            return await tx.users.by_email(address)

    async def local(self, email: str) -> User:
        """The account with this address, made without a password if there is none: nobody can sign in to it.

        Raises:
            InvalidInput: `invalid_email`.
        """
        return await self.find(email) or await self._add(normalised(email), None)

    async def open_session(self, user: User) -> str:
        """Sign the user in.

        Returns:
            The token, which is kept nowhere.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock()
        async with self._store.begin() as tx:
            await tx.users.add_session(
                Session(
                    token_hash=_token_hash(token),
                    user_id=user.id,
                    created_at=now,
                    expires_at=now + self._session_lifetime,
                )
            )
        return token

    async def holder(self, token: str) -> User | None:
        """Who is signed in with this token."""
        async with self._store.begin() as tx:
            session = await tx.users.session(_token_hash(token))
            if session is None or session.expires_at <= self._clock():
                return None
            return await tx.users.get(session.user_id)

    async def close_session(self, token: str) -> None:
        """Sign out whoever holds this token."""
        async with self._store.begin() as tx:
            await tx.users.remove_session(_token_hash(token))

    async def _add(self, address: str, password_hash: str | None) -> User:
        user = User(id=str(self._new_id()), email=address, password_hash=password_hash, created_at=self._clock())
        async with self._store.begin() as tx:
            if not await tx.users.add(user):
                raise InvalidInput(Reason.EMAIL_TAKEN)
        await self._credits.ensure_subscription(user.id)
        return user

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, _composed(password))

    async def _verify(self, password_hash: str, password: str) -> bool:
        async with self._hashing:
            try:
                return await asyncio.to_thread(self._hasher.verify, password_hash, _composed(password))
            except (VerificationError, InvalidHashError):
                return False


def normalised(email: str) -> str:
    """The address in lower case, without the spaces around it.

    Raises:
        InvalidInput: `invalid_email`.
    """
    address = email.strip().lower()
    if len(address) > EMAIL_MAX_CHARS or not _EMAIL.fullmatch(address):
        raise InvalidInput(Reason.INVALID_EMAIL)
    return address


def _composed(password: str) -> str:
    """One form for what looks the same, whichever keyboard wrote it (NIST SP 800-63B section 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _token_hash(token: str) -> str:
    """What a token is stored as. It is random, so one round without a salt does."""
    return hashlib.sha256(token.encode()).hexdigest()
