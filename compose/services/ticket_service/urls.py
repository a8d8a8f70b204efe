from django.urls import path

from hdms_common.health import health

urlpatterns = [
    path("health/", health),
]
