"""celery -A file_service worker"""

from hdms_common.celery_app import make_app

app = make_app("file_service")
