"""Who must say yes: gates, decisions, expiry."""
