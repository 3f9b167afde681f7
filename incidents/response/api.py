"""Incidents over the API: for people, with their rights."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from incidents.response import services
from incidents.response.models import Incident
from incidents.response.selectors import visible_incidents
from rollback.models import User
from rollback.runs.selectors import visible_runs
from rollback.web.access import found, require
from rollback.web.idempotency import WriteOnceView
from rollback.web.pagination import ByKey
from rollback.web.schemas import Body


class IncidentIn(Body):
    """Declares an incident about a run."""

    title = serializers.CharField(max_length=300)
    run = serializers.UUIDField()


class IncidentOut(serializers.Serializer[Incident]):
    """An incident."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    title = serializers.CharField()
    status = serializers.CharField(source="state")
    severity = serializers.CharField()
    lead = serializers.EmailField(source="lead.email", default=None, allow_null=True)
    impact_started_at = serializers.DateTimeField(allow_null=True)
    opened_at = serializers.DateTimeField()
    recovered_at = serializers.DateTimeField(allow_null=True)


def _person(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


class IncidentsView(WriteOnceView, ListAPIView[Incident]):
    """Incidents: list them, declare one."""

    pagination_class = ByKey
    serializer_class = IncidentOut

    def get_queryset(self) -> Any:
        """Those that the person may see, newest first."""
        return visible_incidents(_person(self.request)).order_by("-id")

    @extend_schema(request=IncidentIn, responses={201: IncidentOut})
    def post(self, request: Request) -> Response:
        """Declare an incident about a run, or find the open one that the same person-given title has."""
        data = IncidentIn.read(request.data)
        person = _person(request)
        run = found(visible_runs(person), data["run"], "run")
        require(person, "incident.declare", run)
        cause = f"declared:{run.workflow.slug}:{data['title']}"[:300]
        incident = services.open_for_run(run, cause, data["title"], "Declared by a person", person.actor())
        return Response(IncidentOut(incident).data, status=201)


class AcknowledgeView(WriteOnceView):
    """Somebody leads."""

    @extend_schema(request=None, responses=IncidentOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """The caller leads from now on."""
        person = _person(request)
        incident = found(visible_incidents(person), pk, "incident")
        require(person, "incident.lead", incident)
        services.acknowledge(incident, person)
        return Response(IncidentOut(incident).data)
