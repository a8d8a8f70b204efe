from rest_framework import serializers

from communication_service.models import Message, Notification, Room


class RoomSerializer(serializers.ModelSerializer):
    class Meta:
        model = Room
        fields = ("name", "title", "last_number", "created_at")
        read_only_fields = ("last_number", "created_at")


class MessageSerializer(serializers.ModelSerializer):
    author = serializers.CharField(max_length=40, required=False)
    reference = serializers.CharField(max_length=40, required=False, default="", allow_blank=True)

    class Meta:
        model = Message
        fields = ("number", "author", "text", "reference", "sent_at")
        read_only_fields = ("number", "sent_at")
        # A reference that is known is not an error: the stored message is the answer.
        validators = ()


class NotificationSerializer(serializers.ModelSerializer):
    class Meta:
        model = Notification
        fields = ("id", "user", "text", "link", "created_at", "read_at")
        read_only_fields = ("id", "created_at", "read_at")
