"""The pages and API endpoints of the rollback app, slice by slice."""

from csp.decorators import csp_exempt
from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from rollback.approvals import urls as approvals
from rollback.catalog import urls as catalog
from rollback.recovery import urls as recovery
from rollback.runs import urls as runs
from rollback.web.health import healthz, readyz
from rollback.web.problems import unknown_address

api: list[URLPattern | URLResolver] = [
    path("schema", login_not_required(SpectacularAPIView.as_view()), name="api-schema"),
    # The reader's own page needs inline scripts; it shows no data of ours.
    path("docs", csp_exempt()(login_not_required(SpectacularSwaggerView.as_view(url_name="api-schema"))), name="api-docs"),
    *catalog.api_patterns,
    *runs.api_patterns,
    *approvals.api_patterns,
    *recovery.api_patterns,
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/v1/", include(api)),
]

unknown_api_address = re_path(r"^api/v1/.*$", login_not_required(unknown_address))
