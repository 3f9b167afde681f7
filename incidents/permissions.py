"""Who may do what with incidents, for pages and API alike."""
