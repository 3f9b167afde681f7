"""The pages and API endpoints of the rollback app, slice by slice."""

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from rollback.approvals import urls as approvals
from rollback.catalog import urls as catalog
from rollback.inbox import inbox
from rollback.ownership import urls as ownership
from rollback.recovery import urls as recovery
from rollback.runs import urls as runs
from rollback.web.health import healthz, readyz
from rollback.web.problems import unknown_address

# The reader comes with styles in its page; its scripts are files. It shows no data of ours.
_documentation = csp_update({"style-src": [UNSAFE_INLINE]})(
    login_not_required(SpectacularSwaggerSplitView.as_view(url_name="api-schema"))
)

api: list[URLPattern | URLResolver] = [
    path("schema", login_not_required(SpectacularAPIView.as_view()), name="api-schema"),
    path("docs", _documentation, name="api-docs"),
    *catalog.api_patterns,
    *runs.api_patterns,
    *approvals.api_patterns,
    *recovery.api_patterns,
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/v1/", include(api)),
    path("", inbox, name="inbox"),
    *ownership.page_patterns,
    *approvals.page_patterns,
    *runs.page_patterns,
    *recovery.page_patterns,
    *catalog.page_patterns,
]

unknown_api_address = re_path(r"^api/v1/.*$", login_not_required(unknown_address))
