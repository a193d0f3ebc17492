"""Adapters: one technology per module, behind the ports of `plushify_core`.

Importing one adapter does not load the dependencies of another.
"""
