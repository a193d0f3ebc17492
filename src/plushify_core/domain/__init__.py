"""Entities and rules of Plushify. They import nothing above them."""
