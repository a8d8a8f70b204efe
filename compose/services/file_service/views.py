import contextlib
import re
import uuid

from django.conf import settings
from django.http import FileResponse
from django.shortcuts import get_object_or_404
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response
from rest_framework.views import APIView

from file_service import storage
from file_service.models import State, Upload
from file_service.serializers import FilterSerializer, UploadSerializer
from file_service.tasks import process
from hdms_common.broker import publish
from hdms_common.identity import author_of
from hdms_common.views import Reliable

# What a multipart form adds to the file.
FORM_BYTES = 16 * 1024
KINDS = {"content": storage.ORIGINAL, "converted": storage.CONVERTED, "thumbnail": storage.THUMBNAIL}


class Uploads(Reliable, generics.ListAPIView):
    """GET lists, newest first; POST takes a multipart `file` and answers 202: the worker does the rest."""

    serializer_class = UploadSerializer
    parser_classes = (MultiPartParser,)

    def get_queryset(self):
        wanted = FilterSerializer(data=self.request.query_params)
        wanted.is_valid(raise_exception=True)
        return Upload.objects.filter(**wanted.validated_data)

    def post(self, request):
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.HDMS_UPLOAD_BYTES_MAX + FORM_BYTES:
            return too_large(request.META["CONTENT_LENGTH"])
        file = request.data.get("file")
        if file is None or not hasattr(file, "chunks"):
            raise ValidationError({"file": ["send the file as multipart/form-data, field `file`"]})
        if file.size > settings.HDMS_UPLOAD_BYTES_MAX:
            return too_large(file.size)
        owner = author_of(request, str(request.data.get("owner", ""))[:40].replace("\0", ""))
        with kept_only_on_success() as upload_id:
            upload = keep(upload_id, file, owner)
            publish(process, (str(upload.pk),), upload.task_id)
        data = UploadSerializer(upload).data
        return Response(data, status=status.HTTP_202_ACCEPTED, headers={"Location": data["links"]["self"]})


def too_large(size):
    error = f"{size} bytes, {settings.HDMS_UPLOAD_BYTES_MAX} at most"
    return Response({"error": error}, status=status.HTTP_413_REQUEST_ENTITY_TOO_LARGE)


@contextlib.contextmanager
def kept_only_on_success():
    """A new id; whatever goes wrong before the message is queued, its bytes do not stay."""
    upload_id = uuid.uuid4()
    try:
        yield upload_id
    except BaseException:
        storage.remove(upload_id)
        raise


def keep(upload_id, file, owner):
    # A handler that is tried again reads the file from its beginning.
    file.seek(0)
    size, sha256 = storage.store(upload_id, file.chunks())
    return Upload.objects.create(
        id=upload_id,
        name=re.sub(r"[\x00-\x1f\x7f]", "", file.name)[-200:] or "unnamed",
        owner=owner,
        content_type=re.sub(r"[^\x21-\x7e]", "", file.content_type or "")[:100],
        size=size,
        sha256=sha256,
    )


class OneUpload(Reliable, generics.RetrieveAPIView):
    queryset = Upload.objects.all()
    serializer_class = UploadSerializer


class Content(Reliable, APIView):
    """GET the bytes: 409 before the scan has passed, 410 when they were removed."""

    def get(self, request, pk, kind):
        upload = get_object_or_404(Upload, pk=pk)
        if upload.state == State.infected:
            return Response({"error": f"removed: {upload.detail}"}, status=status.HTTP_410_GONE)
        if upload.state != State.done:
            return Response({"error": f"the file is {upload.state}"}, status=status.HTTP_409_CONFLICT)
        path = storage.path_of(upload.pk, KINDS[kind])
        if not path.is_file():
            return Response({"error": f"there is no {kind}"}, status=status.HTTP_404_NOT_FOUND)
        plain = kind == "content"
        # Never shown in place: what users upload must not run in the origin of this service.
        return FileResponse(
            path.open("rb"),
            as_attachment=True,
            filename=upload.name if plain else f"{upload.name}.webp",
            content_type="application/octet-stream" if plain else "image/webp",
        )
