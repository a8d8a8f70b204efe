"""What a request answers when something it needs does not: 503 and when to come back."""

import logging

from django.db import IntegrityError
from django.http import JsonResponse

from hdms_common.database import is_connection_failure

RETRY_AFTER_SECONDS = 2


class Unavailable(Exception):
    """Something this request needs does not answer; nothing of the request was kept."""

    def __init__(self, what, retry_after=RETRY_AFTER_SECONDS):
        super().__init__(f"{what} is unavailable")
        self.retry_after = retry_after


def unavailable_response(sentence, retry_after=RETRY_AFTER_SECONDS):
    body = {"error": sentence, "retry_after": retry_after}
    return JsonResponse(body, status=503, headers={"Retry-After": str(retry_after)})


class UnavailableMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, error):
        if isinstance(error, Unavailable):
            return unavailable_response(str(error), error.retry_after)
        if is_connection_failure(error):
            return unavailable_response("the database is unavailable")
        if isinstance(error, IntegrityError):
            return JsonResponse({"error": "somebody else made the same meanwhile"}, status=409)
        return None


class WithoutUnavailable(logging.Filter):
    """Drops Django's line for each 503: the loss was logged once, with its cause."""

    def filter(self, record):
        return getattr(record, "status_code", None) != 503


def not_found(request, exception=None):
    return JsonResponse({"error": f"there is nothing at {request.path}"}, status=404)


def broken(request):
    return JsonResponse({"error": "something went wrong here; the log tells what"}, status=500)
