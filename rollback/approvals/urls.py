"""The addresses of approvals."""

from django.urls import path

from rollback.approvals import api, views

api_patterns = [
    path("approvals", api.ApprovalsView.as_view(), name="api-approvals"),
    path("approvals/<uuid:pk>/decide", api.DecideView.as_view(), name="api-decide"),
]

page_patterns = [
    path("approvals/<uuid:pk>/", views.approval, name="approval"),
]
