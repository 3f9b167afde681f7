"""How callers of the API prove who they are."""
