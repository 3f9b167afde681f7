"""Workflows over the API: read them, import the file of API.md, see how it would differ."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from rollback.catalog.files import KINDS, PersonFile, TeamFile
from rollback.catalog.models import Workflow
from rollback.catalog.parsing import Parsed, Source, parse_sources
from rollback.catalog.selectors import visible_workflows
from rollback.catalog.services import import_sources
from rollback.errors import NotFound
from rollback.ownership.models import User
from rollback.web.access import require
from rollback.web.idempotency import WriteOnceView
from rollback.web.pagination import ByKey
from rollback.web.schemas import Body


class FileIn(Body):
    """The file, as text (YAML)."""

    source = serializers.CharField(max_length=1_000_000, trim_whitespace=False)  # type: ignore[assignment]


class WorkflowOut(serializers.Serializer[Workflow]):
    """A workflow in a list."""

    slug = serializers.CharField()
    name = serializers.CharField()
    owner = serializers.EmailField(source="owner.email", default=None, allow_null=True)
    backup = serializers.EmailField(source="backup.email", default=None, allow_null=True)
    team = serializers.CharField(source="team.slug", default=None, allow_null=True)
    version = serializers.IntegerField(source="active.number", default=None, allow_null=True)


class WorkflowDetailOut(WorkflowOut):
    """A workflow with the file of its active version."""

    document = serializers.JSONField(source="active.document", default=None)
    source = serializers.CharField(source="active.source", default="")  # type: ignore[assignment]


class WorkflowsView(WriteOnceView, ListAPIView[Workflow]):
    """Workflows: list them, import files."""

    pagination_class = ByKey
    serializer_class = WorkflowOut

    def get_queryset(self) -> Any:
        """Those that the person may see."""
        return visible_workflows(self.request.user).order_by("-id")  # type: ignore[arg-type]

    @extend_schema(
        request=FileIn,
        responses={200: dict, 201: dict},
        parameters=[OpenApiParameter("dry_run", bool, description="Show the difference, keep nothing.")],
    )
    def post(self, request: Request) -> Response:
        """Import all documents of the file or none; errors name line and field."""
        person = request.user
        assert isinstance(person, User)
        sources = [Source("file", FileIn.read(request.data)["source"])]
        for parsed in parse_sources(sources):
            _require(person, parsed)
        dry_run = request.query_params.get("dry_run", "") not in ("", "0", "false")
        imported = import_sources(sources, person.actor(), person, dry_run=dry_run)
        documents = [
            {
                "kind": item.kind,
                "name": item.name,
                "outcome": item.outcome,
                "version": item.version.number if item.version else None,
                "changes": [{"field": c.field, "old": c.old, "new": c.new} for c in item.changes],
            }
            for item in imported
        ]
        return Response({"dry_run": dry_run, "documents": documents}, status=200 if dry_run else 201)


def _require(person: User, parsed: Parsed) -> None:
    """People and teams are for administrators; the rest for those who answer for what is there already."""
    if isinstance(parsed.file, PersonFile | TeamFile):
        require(person, "people.manage")
        return
    model = {"Workflow": Workflow}.get(parsed.file.kind)
    require(person, "catalog.import", model.objects.filter(slug=parsed.file.slug).first() if model else None)


class WorkflowView(WriteOnceView):
    """One workflow."""

    @extend_schema(responses=WorkflowDetailOut)
    def get(self, request: Request, slug: str) -> Response:
        """With the file of its active version."""
        workflow = visible_workflows(request.user).filter(slug=slug).first()  # type: ignore[arg-type]
        if workflow is None:
            raise NotFound("There is no such workflow, or not for you.", "unknown-workflow")
        return Response(WorkflowDetailOut(workflow).data)


@require_safe
def json_schema(request: HttpRequest, kind: str) -> JsonResponse:
    """The JSON Schema of one kind of file."""
    models = {name.lower(): model for name, model in KINDS.items()}
    return JsonResponse(models[kind].model_json_schema(by_alias=True), content_type="application/schema+json")
