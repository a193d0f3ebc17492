"""An emulator of OpenRouter: a real HTTP server that speaks its image protocols without a key or a network.

`python -m tests.emulators.openrouter` starts it and prints its base address. By default it draws a picture from the
photo it is sent; `POST /_control/script` makes it give any answer OpenRouter has been seen to give.
See docs/openrouter.md.
"""
