"""GET /health/: what check_connections tells, as JSON. A service without its cache is degraded."""

import functools

from django.conf import settings
from django.http import JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from hdms_common.checks import checks_of_service, run_checks

own_checks = functools.cache(checks_of_service)


@never_cache
@require_safe
def health(request):
    reports = run_checks(own_checks())
    failed = {each.name for each in reports if not each.ok}
    status = "failed" if failed - {"cache"} else "degraded" if failed else "ok"
    body = {
        "service": settings.HDMS_SERVICE,
        "status": status,
        "checks": [each.as_json() for each in reports],
    }
    return JsonResponse(body, status=503 if status == "failed" else 200)
