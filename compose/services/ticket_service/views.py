from django.shortcuts import get_object_or_404
from rest_framework import generics, status
from rest_framework.response import Response
from rest_framework.views import APIView

from hdms_common.cached import CachedAnswers
from hdms_common.identity import author_of
from hdms_common.views import Reliable
from ticket_service.models import NEXT, Comment, Ticket
from ticket_service.serializers import (
    CommentSerializer,
    FilterSerializer,
    NewStatusSerializer,
    TicketSerializer,
    WholeTicketSerializer,
)

lists = CachedAnswers("tickets", seconds=30)


class Tickets(Reliable, generics.ListCreateAPIView):
    """GET lists, newest first, by status, priority, assignee, reporter; POST opens a ticket."""

    serializer_class = TicketSerializer

    def get_queryset(self):
        wanted = FilterSerializer(data=self.request.query_params)
        wanted.is_valid(raise_exception=True)
        return Ticket.objects.filter(**wanted.validated_data)

    def list(self, request):
        question = request.build_absolute_uri()
        make = super().list
        data, cached = lists.get_or_make(question, lambda: make(request).data)
        return Response(data, headers={"X-Cache": "hit" if cached else "miss"})

    def perform_create(self, serializer):
        serializer.save(reporter=author_of(self.request, serializer.validated_data.get("reporter")))
        lists.changed()


class OneTicket(Reliable, generics.RetrieveUpdateAPIView):
    """GET shows a ticket with its changes and comments; PATCH changes what is not its status."""

    serializer_class = WholeTicketSerializer
    http_method_names = ("get", "head", "options", "patch")

    def get_queryset(self):
        if self.request.method == "PATCH":
            return Ticket.objects.select_for_update()
        return Ticket.objects.prefetch_related("changes", "comments")

    def perform_update(self, serializer):
        serializer.save()
        lists.changed()


class TicketStatus(Reliable, APIView):
    """POST moves a ticket to another status; 409 where the way does not lead there."""

    def post(self, request, pk):
        given = NewStatusSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        ticket = get_object_or_404(Ticket.objects.select_for_update(), pk=pk)
        if not ticket.may_become(wanted["status"]):
            ways = sorted(NEXT[ticket.status])
            error = f"a ticket that is {ticket.status} cannot become {wanted['status']}"
            return Response({"error": error, "possible": ways}, status=status.HTTP_409_CONFLICT)
        ticket.become(wanted["status"], author_of(request, wanted.get("author")), wanted["note"])
        lists.changed()
        return Response(WholeTicketSerializer(ticket).data)


class Comments(Reliable, generics.ListCreateAPIView):
    serializer_class = CommentSerializer

    def get_queryset(self):
        ticket = get_object_or_404(Ticket, pk=self.kwargs["pk"])
        return Comment.objects.filter(ticket=ticket)

    def perform_create(self, serializer):
        ticket = get_object_or_404(Ticket, pk=self.kwargs["pk"])
        author = author_of(self.request, serializer.validated_data.get("author"))
        serializer.save(ticket=ticket, author=author)
