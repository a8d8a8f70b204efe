from django.urls import path, re_path

from file_service import views
from hdms_common.health import health

urlpatterns = [
    path("health/", health),
    path("api/files/", views.Uploads.as_view()),
    path("api/files/<uuid:pk>/", views.OneUpload.as_view()),
    re_path(
        r"^api/files/(?P<pk>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(?P<kind>content|converted|thumbnail)/\Z",
        views.Content.as_view(),
    ),
]

handler404 = "hdms_common.failures.not_found"
handler500 = "hdms_common.failures.broken"
