"""Who is accountable: people, teams, owners, tokens."""
