"""Accounts and sessions."""

from plushify_adapters.conformance.store.entities import NOW, SECOND
from plushify_adapters.conformance.store.suite import StoreSuite, in_parallel
from plushify_core.ports import Store
from plushify_core.users import Session, User

HASH = "$argon2id$v=19$m=65536,t=3,p=4$…"
ANN = User(id="ann", email="ann@example.com", password_hash=HASH, created_at=NOW)


def _session(token_hash: str, seconds: float = 60) -> Session:
    return Session(token_hash=token_hash, user_id="ann", created_at=NOW, expires_at=NOW + seconds * SECOND)


class UsersContract(StoreSuite):
    """`Users`."""

    async def test_keeps_accounts(self, store: Store) -> None:
        """An account is found by its id and its address, in every field, with a password or without."""
        bob = User(id="bob", email="bob@example.com", password_hash=None, created_at=NOW)
        async with store.begin() as tx:
            assert await tx.users.add(ANN)
            assert await tx.users.add(bob)
        async with store.begin() as tx:
            assert [await tx.users.get("ann"), await tx.users.get("bob")] == [ANN, bob]
            assert await tx.users.by_email("ann@example.com") == ANN
            assert await tx.users.get("cid") is None
            assert await tx.users.by_email("cid@example.com") is None

    async def test_has_one_account_per_address(self, store: Store) -> None:
        """A second account with an address is not added, and the transaction can go on."""
        other = User(id="other", email=ANN.email, password_hash=None, created_at=NOW)
        async with store.begin() as tx:
            assert await tx.users.add(ANN)
            assert not await tx.users.add(other)
            assert await tx.users.get("other") is None
            assert await tx.users.by_email(ANN.email) == ANN

    async def test_lets_one_of_many_sign_up(self, store: Store) -> None:
        """Of parallel transactions that add an account with the same address, exactly one does."""

        async def sign_up(number: int) -> bool:
            async with store.begin() as tx:
                user = User(id=f"user-{number}", email=ANN.email, password_hash=None, created_at=NOW)
                return await tx.users.add(user)

        assert sorted(await in_parallel(sign_up(number) for number in range(20))) == [False] * 19 + [True]

    async def test_keeps_sessions_until_they_are_removed(self, store: Store) -> None:
        """A session is found, over or not, until someone signs out; signing out twice is no error."""
        current, over = _session("aa"), _session("bb", -60)
        async with store.begin() as tx:
            await tx.users.add(ANN)
            await tx.users.add_session(current)
            await tx.users.add_session(over)
        async with store.begin() as tx:
            assert [await tx.users.session("aa"), await tx.users.session("bb")] == [current, over]
            await tx.users.remove_session("aa")
            await tx.users.remove_session("aa")
            assert [await tx.users.session("aa"), await tx.users.session("bb")] == [None, over]

    async def test_forgets_expired_sessions(self, store: Store) -> None:
        """What is over at that time is removed and counted, and nothing else."""
        sessions = [_session("aa", -60), _session("bb", 0), _session("cc", 0.000_001)]
        async with store.begin() as tx:
            await tx.users.add(ANN)
            for session in sessions:
                await tx.users.add_session(session)
        async with store.begin() as tx:
            assert await tx.users.remove_expired_sessions(NOW) == 2
            assert await tx.users.remove_expired_sessions(NOW) == 0
            assert [await tx.users.session(session.token_hash) for session in sessions] == [None, None, sessions[2]]
