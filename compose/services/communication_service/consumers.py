"""The WebSockets. A connection remembers the last number it sent: what comes again is dropped, what is
missing is fetched from the database. So the channel layer may lose, double or delay, and each is seen once.
"""

import asyncio
import contextlib
import random
import urllib.parse

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.core import signing
from django.db import Error as DatabaseError

from communication_service import delivery, store
from hdms_common.failures import RETRY_AFTER_SECONDS
from hdms_common.identity import read_token

LOOK_SECONDS = 15
TEXT_MAX = 4000
FRAME_MAX = 32_000
# Close codes beyond those of the protocol: the page tells them apart.
NO_TOKEN, NO_ROOM, TRY_AGAIN = 4401, 4404, 1013


def ask(function, *arguments):
    """In a thread of the pool: a database that hangs must not hold up every socket."""
    return database_sync_to_async(function, thread_sensitive=False)(*arguments)


class CatchingUp(AsyncJsonWebsocketConsumer):
    """group, last and fetch(after) are what a kind of socket adds."""

    group = ""
    last = 0
    looking = None

    async def connect(self):
        self.query = dict(urllib.parse.parse_qsl(self.scope["query_string"].decode("latin-1")))
        self.lock = asyncio.Lock()
        self.background = set()
        await self.accept()
        try:
            self.user = self.who()
        except signing.BadSignature:
            await self.close(NO_TOKEN)
            return
        try:
            if not await self.enter():
                await self.close(NO_ROOM)
                return
            await self.channel_layer.group_add(self.group, self.channel_name)
            await self.catch_up()
        except Exception as error:
            self.note(error)
            await self.close(TRY_AGAIN)
            return
        self.looking = asyncio.create_task(self.look_now_and_then())

    def who(self):
        if token := self.query.get("token"):
            return read_token(token).username
        if settings.HDMS_AUTH_REQUIRED:
            raise signing.BadSignature("no token")
        return self.query.get("user", "")[:40].replace("\0", "") or "guest"

    def note(self, error):
        """The database's failures are noted where it is asked."""
        if not isinstance(error, DatabaseError):
            delivery.connections.channels.lost(error)

    async def disconnect(self, code):
        for task in (self.looking, *getattr(self, "background", ())):
            if task is not None:
                task.cancel()
        if self.group:
            try:
                async with asyncio.timeout(delivery.SEND_SECONDS):
                    await self.channel_layer.group_discard(self.group, self.channel_name)
            except Exception as error:
                self.note(error)

    async def look_now_and_then(self):
        while True:
            await asyncio.sleep(LOOK_SECONDS * random.uniform(0.5, 1.5))
            try:
                await self.catch_up()
            except DatabaseError:
                continue

    async def catch_up(self):
        async with self.lock:
            while found := await self.fetch(self.last):
                for each in found:
                    await self.pass_on(each)

    async def pass_on(self, each):
        await self.send_json({"type": self.kind, self.kind: each})
        self.last = each[self.counter]

    def later(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    async def receive(self, text_data=None, bytes_data=None, **named):
        if text_data is None or len(text_data) > FRAME_MAX:
            await self.refuse("send JSON of at most 32,000 characters")
            return
        try:
            content = await self.decode_json(text_data)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            await self.refuse("that is not a JSON object")
            return
        try:
            await self.on_request(content)
        except DatabaseError:
            await self.refuse("the database is unavailable", content, retry_after=RETRY_AFTER_SECONDS)

    async def refuse(self, sentence, content=None, **more):
        reference = content.get("reference") if content else None
        await self.send_json({"type": "error", "error": sentence, "reference": reference, **more})


class RoomConsumer(CatchingUp):
    """Receives {"type": "message", "text", "reference"}; sends each message of the room once, in order."""

    kind = "message"
    counter = "number"

    async def enter(self):
        self.name = self.scope["url_route"]["kwargs"]["name"]
        room = await ask(store.find_room, self.name)
        if room is None:
            return False
        self.room_id = room.pk
        self.group = delivery.room_group(self.name)
        after = self.query.get("after", "")
        history = max(0, room.last_number - store.HISTORY)
        self.last = min(int(after), room.last_number) if after.isascii() and after.isdigit() else history
        await self.send_json({"type": "welcome", "room": self.name, "user": self.user})
        return True

    def fetch(self, after):
        return ask(store.messages_after, self.room_id, after)

    async def on_request(self, content):
        text, reference = content.get("text"), content.get("reference", "")
        if content.get("type") != "message" or not isinstance(text, str) or not isinstance(reference, str):
            await self.refuse("send type message, with text", content)
            return
        text = text.replace("\0", "").strip()
        if not text or len(text) > TEXT_MAX or len(reference) > 40 or "\0" in reference:
            await self.refuse(f"a text has 1 to {TEXT_MAX} characters", content)
            return
        message = await ask(store.add_message, self.name, self.user, text, reference)
        if message is None:
            await self.close(NO_ROOM)
            return
        # The sender sees it from the database at once, whatever the layer does. It is saved: what fails now
        # is no reason to tell the sender that it is not.
        with contextlib.suppress(DatabaseError):
            await self.catch_up()
        event = {"type": "room.message", "message": message.as_json()}
        if not await delivery.tell(self.group, event):
            self.later(delivery.tell_until_taken(self.group, event))

    async def room_message(self, event):
        await self.on_news(event["message"])

    async def on_news(self, message):
        async with self.lock:
            number = message["number"]
            if number == self.last + 1:
                await self.pass_on(message)
        if number > self.last:
            try:
                await self.catch_up()
            except DatabaseError:
                return


class NotificationConsumer(CatchingUp):
    """Sends the unread notifications of a user and each new one; receives {"type": "read", "id"}."""

    kind = "notification"
    counter = "id"

    async def enter(self):
        self.group = delivery.user_group(self.user)
        await self.send_json({"type": "welcome", "user": self.user})
        return True

    def fetch(self, after):
        return ask(store.notifications_after, self.user, after)

    async def on_request(self, content):
        wanted = content.get("id")
        if content.get("type") != "read" or type(wanted) is not int or not 0 < wanted < 2**63:
            await self.refuse("send type read, with the id of a notification", content)
            return
        await ask(store.mark_read, self.user, wanted)
        await self.send_json({"type": "read", "id": wanted})

    async def user_notified(self, event):
        """Ids of one user do not follow each other: the database tells what is new, in order."""
        try:
            await self.catch_up()
        except DatabaseError:
            return
