"""Web page: its routes and its files."""
