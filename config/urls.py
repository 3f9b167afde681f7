"""Every URL: pages, the API under ``/api/v1``, and health."""

from django.contrib import admin
from django.urls import include, path

from rollback.urls import unknown_api_address

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("rollback.urls")),
    path("", include("incidents.urls")),
    unknown_api_address,
]
