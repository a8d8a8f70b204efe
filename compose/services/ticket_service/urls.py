from django.urls import path

from hdms_common.health import health
from ticket_service import views

urlpatterns = [
    path("health/", health),
    path("api/tickets/", views.Tickets.as_view()),
    path("api/tickets/<int:pk>/", views.OneTicket.as_view()),
    path("api/tickets/<int:pk>/status/", views.TicketStatus.as_view()),
    path("api/tickets/<int:pk>/comments/", views.Comments.as_view()),
]

handler404 = "hdms_common.failures.not_found"
handler500 = "hdms_common.failures.broken"
