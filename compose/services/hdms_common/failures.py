"""What a request answers when something it needs does not: 503 and when to come back."""

import logging

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
        return None


class WithoutUnavailable(logging.Filter):
    """Drops Django's line for each 503: the loss was logged once, with its cause."""

    def filter(self, record):
        return getattr(record, "status_code", None) != 503
