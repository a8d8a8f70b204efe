"""What the chat asks of the database; surviving a short outage. Plain functions, for views and consumers."""

from django.db import connection
from django.utils import timezone

from communication_service.models import Message, Notification, Room
from hdms_common.database import in_transaction, once_more

HISTORY = 50
CATCH_UP = 500


def find_room(name):
    return once_more(lambda: Room.objects.filter(name=name).first())


def add_message(room_name, author, text, reference):
    """The stored message, also if this reference was stored before; None without the room."""

    def work():
        room = Room.objects.select_for_update().filter(name=room_name).first()
        if room is None:
            return None
        if reference:
            known = room.messages.filter(author=author, reference=reference).first()
            if known:
                return known
        room.last_number += 1
        room.save(update_fields=("last_number",))
        return room.messages.create(number=room.last_number, author=author, text=text, reference=reference)

    return in_transaction(work)


def messages_after(room_id, number, limit=CATCH_UP):
    found = Message.objects.filter(room_id=room_id, number__gt=number).order_by("number")
    return once_more(lambda: [message.as_json() for message in found[:limit]])


def add_notification(user, text, link):
    """Those of one user are committed in the order of their ids, so that readers may ask for later ones."""

    def work():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"notify {user}",))
        return Notification.objects.create(user=user, text=text, link=link)

    return in_transaction(work)


def notifications_after(user, last_id, limit=CATCH_UP):
    """Unread ones, oldest first."""
    found = Notification.objects.filter(user=user, id__gt=last_id, read_at=None).order_by("id")
    return once_more(lambda: [each.as_json() for each in found[:limit]])


def mark_read(user, notification_id):
    unread = Notification.objects.filter(user=user, id=notification_id, read_at=None)
    return once_more(lambda: unread.update(read_at=timezone.now()))
