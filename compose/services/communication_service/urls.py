from django.urls import path

from communication_service import views
from hdms_common.health import health

urlpatterns = [
    path("", views.page),
    path("health/", health),
    path("api/rooms/", views.Rooms.as_view()),
    path("api/rooms/<slug:name>/messages/", views.Messages.as_view()),
    path("api/notifications/", views.Notifications.as_view()),
    path("api/notifications/<int:pk>/read/", views.ReadNotification.as_view()),
]

handler404 = "hdms_common.failures.not_found"
handler500 = "hdms_common.failures.broken"
