"""The image models of OpenRouter, by either of its two protocols.

generate ── _request: the body, streamed     ── _exchange: over the wire, within limits
         ── _answer: what the bytes say      ── _failures: what each failure means, in one table
capabilities, check ── _catalogue: what OpenRouter says of a model, of the key, of the account
"""

from ._catalogue import Finding, Level
from ._model import OpenRouterModel
from ._options import Api, OpenRouterOptions

__all__ = ["Api", "Finding", "Level", "OpenRouterModel", "OpenRouterOptions"]
