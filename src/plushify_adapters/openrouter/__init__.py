"""The image models of OpenRouter, by either of its two protocols.

generate
├── _request    what is asked, as a body that is streamed
├── _exchange   over the wire, within limits
├── _answer     what the bytes say
├── _fetch      a picture that comes as an address
├── _verdicts   which failure an answer is
├── _failures   what each failure means: the tables
└── _progress   what is known of the bill at every moment, and whether to try again
capabilities, check
├── _catalogue  what OpenRouter says of the model, the key and the account
└── _profiles   what is known of models without asking
"""

from ._catalogue import Finding, Level
from ._model import OpenRouterModel
from ._options import Api, OpenRouterOptions

__all__ = ["Api", "Finding", "Level", "OpenRouterModel", "OpenRouterOptions"]
