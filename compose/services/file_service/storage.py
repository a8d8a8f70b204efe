"""The bytes of uploads: MEDIA_ROOT/ab/ab….original and what was made of it. A file is there whole or not."""

import contextlib
import hashlib
import os
from pathlib import Path

from django.conf import settings

ORIGINAL = "original"
CONVERTED = "webp"
THUMBNAIL = "thumbnail.webp"


def path_of(upload_id, kind):
    name = upload_id.hex
    return Path(settings.MEDIA_ROOT) / name[:2] / f"{name}.{kind}"


@contextlib.contextmanager
def written(path):
    """A file to write to; it gets its name when all is on the disk, and leaves nothing behind on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def store(upload_id, chunks):
    """Keeps an upload; returns its size and SHA-256."""
    digest = hashlib.sha256()
    size = 0
    with written(path_of(upload_id, ORIGINAL)) as stream:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            stream.write(chunk)
    return size, digest.hexdigest()


def remove(upload_id):
    for kind in (ORIGINAL, CONVERTED, THUMBNAIL):
        path_of(upload_id, kind).unlink(missing_ok=True)
