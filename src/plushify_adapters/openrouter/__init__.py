"""Image models of OpenRouter, over its chat API or its images API.

generate
├── _request         request body, streamed
├── _http            error translation, size limit, Retry-After
├── _answer          decoder of response bodies
│   ├── _framing     JSON in padding or in server-sent events
│   ├── _usage       cost and token counts
│   ├── _errors      error objects
│   └── _pictures    search for the picture: _base64, _picture_size, _picture_checks
├── _fetch           download of a picture that is returned as a URL
├── _classification  failure for an answer without a picture
├── _failures        tables: what each failure means
├── _call_state      attempts made so far, and whether the current one is billed
└── _retry           decision to retry a failed attempt, and the log of retries
capabilities, self_check
├── _models_api      what OpenRouter reports about the model and the key
└── _profiles        built-in model profiles, for when OpenRouter cannot be reached
"""

from plushify_adapters.openrouter._model import OpenRouterModel
from plushify_adapters.openrouter._options import Api, OpenRouterOptions

__all__ = ["Api", "OpenRouterModel", "OpenRouterOptions"]
