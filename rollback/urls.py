"""The pages and API endpoints of the rollback app, slice by slice."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
