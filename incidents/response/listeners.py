"""Listens to what the rollback app announces."""
