"""The communication service as an ASGI application: HTTP by Django, WebSockets by Channels."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "communication_service.settings")
http = get_asgi_application()

# What follows needs the applications loaded.
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.urls import re_path  # noqa: E402

from communication_service.consumers import NotificationConsumer, RoomConsumer  # noqa: E402

websockets = URLRouter(
    [
        re_path(r"^ws/rooms/(?P<name>[-\w]{1,60})/?\Z", RoomConsumer.as_asgi()),
        re_path(r"^ws/notifications/?\Z", NotificationConsumer.as_asgi()),
    ]
)
from_own_pages = AllowedHostsOriginValidator(websockets)


async def websocket(scope, receive, send):
    """Browsers tell their origin, which must be ours; other programs have none, and no cookies to abuse."""
    browser = any(name == b"origin" for name, _ in scope["headers"])
    await (from_own_pages if browser else websockets)(scope, receive, send)


application = ProtocolTypeRouter({"http": http, "websocket": websocket})
