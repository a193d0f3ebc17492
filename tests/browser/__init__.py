"""Tests of the page in a real browser against a real server.

This folder is a package so that package-scoped fixtures are closed after its last test.
"""
