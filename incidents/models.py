"""Gathers the models of all slices, so that Django finds them in one place."""

from incidents.response.models import Incident, IncidentNumber, IncidentRun, TimelineEntry

__all__ = ["Incident", "IncidentNumber", "IncidentRun", "TimelineEntry"]
