"""Contract of every account store."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from plushify_core.ports import AccountStore, Session, User

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
"""Time with microseconds, which a store must keep."""

HASH = "$argon2id$v=19$m=65536,t=3,p=4$…"
ANN = User(id="ann", email="ann@example.com", password_hash=HASH, created_at=NOW)


def _session(token_hash: str, seconds: float = 60) -> Session:
    return Session(token_hash=token_hash, user_id="ann", created_at=NOW, expires_at=NOW + timedelta(seconds=seconds))


class AccountStoreConformance:
    """Contract of `AccountStore`. A subclass sets `adapter`. It overrides `accounts` if the adapter needs arguments."""

    adapter: ClassVar[type[AccountStore]]
    pytestmark: ClassVar[Any] = pytest.mark.anyio

    @pytest.fixture
    def accounts(self) -> AccountStore:
        """Return an empty account store."""
        return self.adapter()

    async def test_is_the_declared_adapter(self, accounts: AccountStore) -> None:
        """The suite runs on the adapter that it declares."""
        assert type(accounts) is self.adapter

    async def test_finds_accounts_by_id_and_address(self, accounts: AccountStore) -> None:
        """An account is found by its id and its address, in every field, with a password or without."""
        bob = User(id="bob", email="bob@example.com", password_hash=None, created_at=NOW)
        assert await accounts.add(ANN)
        assert await accounts.add(bob)
        assert [await accounts.get("ann"), await accounts.get("bob")] == [ANN, bob]
        assert await accounts.by_email("ann@example.com") == ANN
        assert await accounts.get("cid") is None
        assert await accounts.by_email("cid@example.com") is None

    async def test_refuses_a_second_account_with_the_same_address(self, accounts: AccountStore) -> None:
        """A second account with the same address is not added."""
        other = User(id="other", email=ANN.email, password_hash=None, created_at=NOW)
        assert await accounts.add(ANN)
        assert not await accounts.add(other)
        assert await accounts.get("other") is None
        assert await accounts.by_email(ANN.email) == ANN

    async def test_concurrent_additions_create_one_account(self, accounts: AccountStore) -> None:
        """Of concurrent calls that add an account with the same address, exactly one succeeds."""

        async def sign_up(number: int) -> bool:
            user = User(id=f"user-{number}", email=ANN.email, password_hash=None, created_at=NOW)
            return await accounts.add(user)

        added = await asyncio.gather(*(sign_up(number) for number in range(20)))
        assert sorted(added) == [False] * 19 + [True]

    async def test_keeps_a_session_until_it_is_removed(self, accounts: AccountStore) -> None:
        """A session is found with its user, expired or not, until it is removed. A second removal is no error."""
        current, expired = _session("aa"), _session("bb", -60)
        await accounts.add(ANN)
        await accounts.add_session(current)
        await accounts.add_session(expired)
        assert [await accounts.session("aa"), await accounts.session("bb")] == [(current, ANN), (expired, ANN)]
        await accounts.remove_session("aa")
        await accounts.remove_session("aa")
        assert [await accounts.session("aa"), await accounts.session("bb")] == [None, (expired, ANN)]

    async def test_removes_expired_sessions(self, accounts: AccountStore) -> None:
        """Expired sessions are removed and counted, and no others."""
        sessions = [_session("aa", -60), _session("bb", 0), _session("cc", 0.000_001)]
        await accounts.add(ANN)
        for session in sessions:
            await accounts.add_session(session)
        assert await accounts.remove_expired_sessions(NOW) == 2
        assert await accounts.remove_expired_sessions(NOW) == 0
        found = [await accounts.session(session.token_hash) for session in sessions]
        assert found == [None, None, (sessions[2], ANN)]
