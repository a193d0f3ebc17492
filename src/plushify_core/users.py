"""Who uses the page. A service that has users of its own needs neither: the use cases take any user id."""

from datetime import datetime

import msgspec


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account. `email` is lower case; `password_hash` is None where somebody else proves who it is."""

    id: str
    email: str
    password_hash: str | None
    created_at: datetime


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Someone signed in. Only a hash of the token is kept: a stolen table signs nobody in."""

    token_hash: str
    user_id: str
    created_at: datetime
    expires_at: datetime
