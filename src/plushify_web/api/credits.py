"""A user's balance and statement."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from plushify_core import CreditsUseCase, User
from plushify_web.api.problems import problem_responses
from plushify_web.api.schemas import CreditsBody, EntriesBody, EntryBody, cursor_of
from plushify_web.identity.authentication import signed_in


class CreditsController(Controller):
    """Credits."""

    path = "/credits"
    tags = ("credits",)
    guards = (signed_in,)

    @get(operation_id="getCredits", summary="Plan and balance", responses=problem_responses(401))
    async def show(self, user: NamedDependency[User], credits: NamedDependency[CreditsUseCase]) -> CreditsBody:
        """My plan and balance."""
        subscription = await credits.ensure_subscription(user.id)
        return CreditsBody(plan=subscription.plan, balance=subscription.balance)

    @get("/entries", operation_id="listCreditEntries", summary="The statement", responses=problem_responses(400, 401))
    async def entries(
        self,
        user: NamedDependency[User],
        credits: NamedDependency[CreditsUseCase],
        limit: Annotated[int, QueryParameter(description="how many at most")] = 50,
        cursor: FromQuery[str | None] = None,
    ) -> EntriesBody:
        """My movements of credits, newest first."""
        page = await credits.statement(user.id, cursor=cursor_of(cursor), limit=limit)
        return EntriesBody(items=[EntryBody.of(entry) for entry in page.items], next_cursor=page.next_cursor)
