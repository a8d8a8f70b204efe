from django.contrib.auth import hashers
from rest_framework import generics, status
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from hdms_common.cached import CachedAnswers
from hdms_common.identity import AGENT, MayAsk, issue_token
from hdms_common.views import Reliable
from user_service.models import User
from user_service.serializers import (
    CredentialsSerializer,
    ManagedUserSerializer,
    OwnUserSerializer,
    UserSerializer,
)

profiles = CachedAnswers("users", seconds=30)


class Users(Reliable, generics.ListCreateAPIView):
    """GET lists, POST registers."""

    queryset = User.objects.all()
    serializer_class = UserSerializer

    def get_permissions(self):
        return [AllowAny()] if self.request.method == "POST" else [MayAsk()]


class OneUser(Reliable, generics.RetrieveUpdateAPIView):
    """GET shows; PATCH changes, for users themselves and for agents."""

    queryset = User.objects.all()
    http_method_names = ("get", "head", "options", "patch")

    def get_permissions(self):
        return [IsAuthenticated()] if self.request.method == "PATCH" else [MayAsk()]

    def get_serializer_class(self):
        own = self.request.user is not None and self.request.user.user_id == self.kwargs["pk"]
        if self.request.method != "PATCH":
            return UserSerializer
        return OwnUserSerializer if own else ManagedUserSerializer

    def retrieve(self, request, pk):
        data, cached = profiles.get_or_make(str(pk), lambda: self.get_serializer(self.get_object()).data)
        return Response(data, headers={"X-Cache": "hit" if cached else "miss"})

    def check_object_permissions(self, request, user):
        super().check_object_permissions(request, user)
        if request.method == "PATCH" and request.user.user_id != user.pk and request.user.role != AGENT:
            raise PermissionDenied("only agents change other users")

    def perform_update(self, serializer):
        serializer.save()
        profiles.changed()


class Sessions(Reliable, APIView):
    """POST with username and password answers a token that all services accept."""

    permission_classes = (AllowAny,)
    authentication_classes = ()

    def post(self, request):
        given = CredentialsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        user = User.objects.filter(username=given.validated_data["username"], is_active=True).first()
        password = given.validated_data["password"]
        if user is None:
            # As slow as a wrong password, so that the time does not tell which names exist.
            hashers.make_password(password)
        if user is None or not user.check_password(password):
            return Response({"error": "wrong username or password"}, status=status.HTTP_403_FORBIDDEN)
        token = issue_token(user.pk, user.username, user.role)
        return Response({"token": token, "user": UserSerializer(user).data}, status=status.HTTP_201_CREATED)


class CurrentSession(Reliable, APIView):
    """GET: the user of the token, as the database knows it now."""

    permission_classes = (IsAuthenticated,)

    def get(self, request):
        user = User.objects.filter(pk=request.user.user_id, is_active=True).first()
        if user is None:
            raise AuthenticationFailed("the user is gone or was deactivated")
        return Response(UserSerializer(user).data)
