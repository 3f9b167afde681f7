"""The addresses of the catalog."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path, re_path

from rollback.catalog import api, views

api_patterns = [
    path("workflows", api.WorkflowsView.as_view(), name="api-workflows"),
    path("workflows/<slug:slug>", api.WorkflowView.as_view(), name="api-workflow"),
    re_path(
        r"^schemas/(?P<kind>workflow|system|runbook|team|person)\.json$",
        login_not_required(api.json_schema),
        name="api-json-schema",
    ),
]

page_patterns = [
    path("workflows/", views.workflows, name="workflows"),
    path("workflows/<slug:slug>/", views.workflow, name="workflow"),
    path("runbooks/", views.runbooks, name="runbooks"),
    path("runbooks/<slug:slug>/", views.runbook, name="runbook"),
]
