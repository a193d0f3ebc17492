"""HTTP API: one controller per resource."""
