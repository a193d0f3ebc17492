"""Adapters: one technology per package, behind the ports of `plushify_core`.

Importing one adapter does not load the dependencies of another.
"""
