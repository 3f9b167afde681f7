"""The history: append-only, hash-chained events, and the one writer of state."""
