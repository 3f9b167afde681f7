"""The addresses of rollbacks and compensations."""

from django.urls import path

from rollback.recovery import api, views

api_patterns = [
    path("rollbacks/preview", api.PreviewView.as_view(), name="api-preview"),
    path("rollbacks", api.RollbacksView.as_view(), name="api-rollbacks"),
    path("rollbacks/<uuid:pk>", api.RollbackView.as_view(), name="api-rollback"),
    path("rollbacks/<uuid:pk>/pause", api.PauseView.as_view(), name="api-pause"),
    path("rollbacks/<uuid:pk>/resume", api.ResumeView.as_view(), name="api-resume"),
    path("rollbacks/<uuid:pk>/cancel", api.CancelView.as_view(), name="api-cancel"),
    path("compensations/<uuid:pk>/retry", api.RetryView.as_view(), name="api-retry"),
    path("compensations/<uuid:pk>/done", api.DoneView.as_view(), name="api-done"),
    path("compensations/<uuid:pk>/waive", api.WaiveView.as_view(), name="api-waive"),
]

page_patterns = [
    path("runs/<uuid:pk>/rollback/", views.rollback_preview, name="rollback-preview"),
    path("rollbacks/", views.rollbacks, name="rollbacks"),
    path("rollbacks/<uuid:pk>/", views.rollback, name="rollback"),
    path("rollbacks/<uuid:pk>/pause/", views.pause, name="rollback-pause"),
    path("rollbacks/<uuid:pk>/resume/", views.resume, name="rollback-resume"),
    path("rollbacks/<uuid:pk>/cancel/", views.cancel, name="rollback-cancel"),
    path("compensations/<uuid:pk>/", views.compensation, name="compensation"),
    path("compensations/<uuid:pk>/retry/", views.retry, name="compensation-retry"),
    path("compensations/<uuid:pk>/done/", views.done, name="compensation-done"),
    path("compensations/<uuid:pk>/waive/", views.waive, name="compensation-waive"),
]
