from rest_framework import serializers

from ticket_service.models import Comment, Priority, Status, StatusChange, Ticket


class TicketSerializer(serializers.ModelSerializer):
    reporter = serializers.CharField(max_length=40, required=False)

    class Meta:
        model = Ticket
        fields = (
            "id",
            "title",
            "description",
            "reporter",
            "assignee",
            "priority",
            "status",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "status", "created_at", "updated_at")


class ChangeSerializer(serializers.ModelSerializer):
    class Meta:
        model = StatusChange
        fields = ("before", "after", "author", "note", "at")


class CommentSerializer(serializers.ModelSerializer):
    author = serializers.CharField(max_length=40, required=False)

    class Meta:
        model = Comment
        fields = ("id", "author", "text", "at")
        read_only_fields = ("id", "at")


class WholeTicketSerializer(TicketSerializer):
    reporter = serializers.CharField(read_only=True)
    changes = ChangeSerializer(many=True, read_only=True)
    comments = CommentSerializer(many=True, read_only=True)

    class Meta(TicketSerializer.Meta):
        fields = (*TicketSerializer.Meta.fields, "changes", "comments")


class NewStatusSerializer(serializers.Serializer):
    status = serializers.ChoiceField(Status.choices)
    author = serializers.CharField(max_length=40, required=False)
    note = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class FilterSerializer(serializers.Serializer):
    """The query of a list: an unknown status is an error, not an empty list."""

    status = serializers.ChoiceField(Status.choices, required=False)
    priority = serializers.ChoiceField(Priority.choices, required=False)
    assignee = serializers.CharField(max_length=40, required=False)
    reporter = serializers.CharField(max_length=40, required=False)
