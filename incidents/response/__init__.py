"""Incidents: something went wrong that somebody leads."""
