from rest_framework import serializers

from file_service.models import State, Upload


class UploadSerializer(serializers.ModelSerializer):
    links = serializers.SerializerMethodField()

    class Meta:
        model = Upload
        fields = (
            "id",
            "name",
            "owner",
            "content_type",
            "size",
            "sha256",
            "state",
            "percent",
            "detail",
            "scanned_by",
            "image_format",
            "width",
            "height",
            "created_at",
            "updated_at",
            "links",
        )

    def get_links(self, upload):
        """What can be fetched now: nothing before the scan has passed."""
        own = f"/api/files/{upload.pk}/"
        links = {"self": own}
        if upload.state == State.done:
            links["content"] = own + "content/"
            if upload.image_format:
                links |= {"converted": own + "converted/", "thumbnail": own + "thumbnail/"}
        return links


class FilterSerializer(serializers.Serializer):
    state = serializers.ChoiceField(State.choices, required=False)
    owner = serializers.CharField(max_length=40, required=False)
