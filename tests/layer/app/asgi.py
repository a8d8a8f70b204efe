"""A chat as Channels applications have it. LAYER (JSON) is the setting of its channel layer; a crash of a
consumer leaves a line in the file CRASHES."""

import json
import os

import django
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

if not settings.configured:
    settings.configure(
        SECRET_KEY="tests only",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        CHANNEL_LAYERS={"default": json.loads(os.environ["LAYER"])},
    )
    django.setup()


class Chat(AsyncJsonWebsocketConsumer):
    """Says its channel's name; passes on what it hears, to its room or to one channel; says how that went."""

    async def __call__(self, scope, receive, send):
        try:
            return await super().__call__(scope, receive, send)
        except Exception as error:
            with open(os.environ["CRASHES"], "a", buffering=1) as crashes:
                crashes.write(f"{type(error).__name__}: {error}\n")
            raise

    @property
    def room(self):
        return "room." + self.scope["url_route"]["kwargs"]["room"]

    async def connect(self):
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()
        await self.send_json({"welcome": self.channel_name})

    async def receive_json(self, content):
        event = {"type": "chat.message", "sender": content["sender"], "seq": content["seq"]}
        try:
            if "to" in content:
                await self.channel_layer.send(content["to"], event)
            else:
                await self.channel_layer.group_send(self.room, event)
        except Exception as error:
            await self.send_json({"failed": content["seq"], "error": f"{type(error).__name__}: {error}"})
        else:
            await self.send_json({"sent": content["seq"]})

    async def chat_message(self, event):
        await self.send_json({"sender": event["sender"], "seq": event["seq"]})

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room, self.channel_name)


application = ProtocolTypeRouter({"websocket": URLRouter([path("rooms/<slug:room>/", Chat.as_asgi())])})
