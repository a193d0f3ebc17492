"""An emulator of OpenRouter: a real HTTP server with its image APIs, which needs no key and no network.

`python -m tests.emulators.openrouter` starts it and prints its base URL. By default it draws a picture from the photo
in the request; `POST /_control/script` selects any other answer that OpenRouter is known to give.
See docs/openrouter.md.
"""
