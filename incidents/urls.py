"""The pages and API endpoints of the incidents app, slice by slice."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
