"""Web application of Plushify: HTTP API, web page and command line, and the wiring of core and adapters."""
