"""Accounts, and authentication of requests."""
