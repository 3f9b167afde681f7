"""Gathers the models of all slices, so that Django finds them in one place."""

from incidents.response.models import Incident, IncidentRun, TimelineEntry

__all__ = ["Incident", "IncidentRun", "TimelineEntry"]
