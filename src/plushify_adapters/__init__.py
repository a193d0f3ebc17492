"""One technology per module behind the ports of `plushify_core`. Importing one loads no other's dependencies."""
