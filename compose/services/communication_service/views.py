from asgiref.sync import async_to_sync
from django.http import Http404
from django.shortcuts import get_object_or_404, render
from rest_framework import generics
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response

from communication_service import delivery, store
from communication_service.models import Notification, Room
from communication_service.serializers import MessageSerializer, NotificationSerializer, RoomSerializer
from hdms_common.identity import AGENT, author_of
from hdms_common.views import Reliable


def page(request):
    return render(request, "communication_service/chat.html")


class Rooms(Reliable, generics.ListCreateAPIView):
    queryset = Room.objects.all()
    serializer_class = RoomSerializer


class Messages(generics.ListCreateAPIView):
    """GET the messages, oldest first, ?after=NUMBER; POST adds one and tells the open sockets.

    Not one transaction for the whole request: sockets are told when the message is committed.
    """

    serializer_class = MessageSerializer

    def list(self, request, name):
        room = store.find_room(name)
        if room is None:
            raise Http404
        after = request.query_params.get("after", "0")
        after = int(after) if after.isascii() and after.isdigit() else 0
        return Response({"results": store.messages_after(room.pk, min(after, 2**62))})

    def create(self, request, name):
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        author = author_of(request, wanted.get("author"))
        message = store.add_message(name, author, wanted["text"], wanted["reference"])
        if message is None:
            raise Http404
        event = {"type": "room.message", "message": message.as_json()}
        async_to_sync(delivery.tell)(delivery.room_group(name), event)
        return Response(self.get_serializer(message).data, status=201)


class Notifications(generics.ListCreateAPIView):
    """GET ?user=NAME lists, newest first; POST notifies a user."""

    serializer_class = NotificationSerializer

    def get_queryset(self):
        user = author_of(self.request, self.request.query_params.get("user", ""))
        return Notification.objects.filter(user=user.replace("\0", ""))

    def list(self, request):
        return store.once_more(lambda: super(Notifications, self).list(request))

    def create(self, request):
        if request.user is not None and request.user.role != AGENT:
            raise PermissionDenied("agents notify users")
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        made = store.add_notification(wanted["user"], wanted["text"], wanted.get("link", ""))
        async_to_sync(delivery.tell)(delivery.user_group(made.user), {"type": "user.notified"})
        return Response(self.get_serializer(made).data, status=201)


class ReadNotification(generics.GenericAPIView):
    def post(self, request, pk):
        found = store.once_more(lambda: get_object_or_404(Notification, pk=pk))
        if request.user is not None and request.user.username != found.user:
            raise PermissionDenied("this is somebody else's")
        store.mark_read(found.user, pk)
        return Response({"id": pk, "read": True})
