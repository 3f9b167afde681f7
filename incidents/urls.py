"""The pages and API endpoints of the incidents app."""

from django.urls import path, re_path

from incidents.response import api, views

urlpatterns = [
    path("api/v1/incidents", api.IncidentsView.as_view(), name="api-incidents"),
    path("api/v1/incidents/<uuid:pk>/acknowledge", api.AcknowledgeView.as_view(), name="api-acknowledge"),
    path("incidents/", views.incidents, name="incidents"),
    path("incidents/<uuid:pk>/", views.incident, name="incident"),
    path("incidents/<uuid:pk>/note/", views.note, name="incident-note"),
    re_path(
        r"^incidents/(?P<pk>[0-9a-f-]{36})/(?P<action>acknowledge|recover|close|reopen)/$",
        views.change,
        name="incident-change",
    ),
]
