from django.urls import path

from hdms_common.health import health
from user_service import views

urlpatterns = [
    path("health/", health),
    path("api/users/", views.Users.as_view()),
    path("api/users/<int:pk>/", views.OneUser.as_view()),
    path("api/sessions/", views.Sessions.as_view()),
    path("api/sessions/current/", views.CurrentSession.as_view()),
]

handler404 = "hdms_common.failures.not_found"
handler500 = "hdms_common.failures.broken"
