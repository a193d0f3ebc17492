"""Contract of every store."""

from plushify_adapters.conformance.store.audit import AuditContract
from plushify_adapters.conformance.store.credits import CreditsContract
from plushify_adapters.conformance.store.generations import GenerationsContract
from plushify_adapters.conformance.store.installations import InstallationsContract
from plushify_adapters.conformance.store.model_calls import ModelCallsContract
from plushify_adapters.conformance.store.sweeps import SweepsContract
from plushify_adapters.conformance.store.transactions import TransactionsContract
from plushify_adapters.conformance.store.use_cases import UseCasesContract

__all__ = ["StoreConformance"]


class StoreConformance(
    TransactionsContract,
    GenerationsContract,
    SweepsContract,
    CreditsContract,
    ModelCallsContract,
    AuditContract,
    InstallationsContract,
    UseCasesContract,
):
    """Contract of `Store`. A subclass sets `adapter`. It overrides `store` if the adapter needs arguments."""
