"""Entities and business rules of Plushify. No module here imports ports, use cases or the worker."""
