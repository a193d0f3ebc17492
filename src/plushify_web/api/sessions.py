"""Signing up, in and out."""

from typing import Any

from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from plushify_core import User
from plushify_web.api.problems import problem_responses
from plushify_web.api.schemas import Credentials, SessionBody
from plushify_web.identity.accounts import Accounts
from plushify_web.identity.authentication import SessionCookie

MAX_BODY_BYTES = 16 * 1024


class SessionsController(Controller):
    """Accounts and sessions."""

    tags = ("account",)
    request_max_body_size = MAX_BODY_BYTES

    @post("/accounts", operation_id="signUp", summary="Sign up and in", responses=problem_responses(400, 413, 422))
    async def sign_up(
        self,
        data: JSONBody[Credentials],
        request: Request[User | None, str | None, Any],
        accounts: NamedDependency[Accounts],
        cookie: NamedDependency[SessionCookie],
    ) -> Response[SessionBody]:
        """Make an account with its free credits, and sign in."""
        return await _open(await accounts.sign_up(data.email, data.password), request, accounts, cookie)

    @post(
        "/session",
        operation_id="signIn",
        summary="Sign in",
        status_code=200,
        responses=problem_responses(400, 401, 413),
    )
    async def sign_in(
        self,
        data: JSONBody[Credentials],
        request: Request[User | None, str | None, Any],
        accounts: NamedDependency[Accounts],
        cookie: NamedDependency[SessionCookie],
    ) -> Response[SessionBody]:
        """Sign in; the session comes as a cookie."""
        return await _open(await accounts.sign_in(data.email, data.password), request, accounts, cookie)

    @get("/session", operation_id="getSession", summary="Who am I")
    async def show(self, request: Request[User | None, str | None, Any]) -> Response[SessionBody]:
        """Who is signed in; null for nobody."""
        return Response(SessionBody.of(request.user), headers={"Cache-Control": "no-store"})

    @delete("/session", operation_id="signOut", summary="Sign out", responses=problem_responses(401))
    async def sign_out(
        self,
        request: Request[User | None, str | None, Any],
        accounts: NamedDependency[Accounts],
        cookie: NamedDependency[SessionCookie],
    ) -> Response[None]:
        """Sign out, if somebody is signed in."""
        if request.auth:
            await accounts.close_session(request.auth)
        return Response(None, status_code=204, cookies=[cookie.expire()])


async def _open(
    user: User, request: Request[User | None, str | None, Any], accounts: Accounts, cookie: SessionCookie
) -> Response[SessionBody]:
    if request.auth:
        await accounts.close_session(request.auth)
    token = await accounts.open_session(user)
    return Response(SessionBody.of(user), cookies=[cookie.issue(token)], headers={"Cache-Control": "no-store"})
