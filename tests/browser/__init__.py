"""The page in a real browser, against a real server. A package, so that its fixtures end with its last test."""
