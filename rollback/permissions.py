"""Who may do what: the one place where it is decided, for pages and API alike."""
