"""What the REST views of all services share."""

import functools

from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import SAFE_METHODS

from hdms_common.database import in_transaction, once_more

OFFSET_MAX = 1_000_000


class Reliable:
    """A request that changes something is one transaction, and like a read it survives a short outage.

    The handler may run several times, so it must do nothing outside of the database that cannot be repeated.
    """

    def initial(self, request, *arguments, **named):
        super().initial(request, *arguments, **named)
        method = request.method.lower()
        handler = getattr(self, method, None)
        if handler is not None:
            setattr(self, method, functools.partial(run_reliably, handler))


def run_reliably(handler, request, *arguments, **named):
    run = once_more if request.method in SAFE_METHODS else in_transaction
    return run(lambda: handler(request, *arguments, **named))


class Pages(LimitOffsetPagination):
    default_limit = 50
    max_limit = 200

    def get_offset(self, request):
        return min(super().get_offset(request), OFFSET_MAX)
