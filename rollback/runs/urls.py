"""The addresses of runs and steps."""

from django.urls import path

from rollback.runs import api, views

api_patterns = [
    path("runs", api.RunsView.as_view(), name="api-runs"),
    path("runs/<uuid:pk>", api.RunView.as_view(), name="api-run"),
    path("runs/<uuid:pk>/steps", api.StepsView.as_view(), name="api-steps"),
    path("runs/<uuid:pk>/steps/batch", api.BatchView.as_view(), name="api-batch"),
    path("runs/<uuid:pk>/heartbeat", api.HeartbeatView.as_view(), name="api-heartbeat"),
    path("runs/<uuid:pk>/finish", api.FinishView.as_view(), name="api-finish"),
    path("steps/<uuid:pk>", api.StepView.as_view(), name="api-step"),
    path("steps/<uuid:pk>/result", api.ResultView.as_view(), name="api-result"),
]

page_patterns = [
    path("runs/", views.runs, name="runs"),
    path("runs/<uuid:pk>/", views.run, name="run"),
]
