"""What a failure meant: incidents, metrics and the three-month cycle."""
