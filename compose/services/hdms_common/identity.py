"""Who asks. The user service signs a token; every service that has the same DJANGO_SECRET_KEY can read it.

Without AUTH_REQUIRED a request may come without a token and name its author itself, which suits development.
"""

from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission

SALT = "hdms.session"
AGENT = "agent"


@dataclass(frozen=True)
class Identity:
    user_id: int
    username: str
    role: str
    is_authenticated: bool = True


def issue_token(user_id, username, role):
    return signing.dumps({"id": user_id, "user": username, "role": role}, salt=SALT)


def read_token(token):
    """The identity a token stands for; raises signing.BadSignature when it is forged, broken or too old."""
    found = signing.loads(token, salt=SALT, max_age=settings.HDMS_SESSION_SECONDS)
    return Identity(found["id"], found["user"], found["role"])


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request):
        kind, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if kind.lower() != "bearer":
            return None
        try:
            return read_token(token.strip()), token
        except signing.BadSignature:
            raise AuthenticationFailed("the token is invalid or has expired") from None

    def authenticate_header(self, request):
        return "Bearer"


class MayAsk(BasePermission):
    """The permission of all views: a token, where AUTH_REQUIRED says so."""

    message = "a token is required: POST /api/sessions/ of the user service"

    def has_permission(self, request, view):
        return request.user is not None or not settings.HDMS_AUTH_REQUIRED


def author_of(request, named=""):
    """The token's user; without a token who the request says it is."""
    return request.user.username if request.user else (named or "guest")
