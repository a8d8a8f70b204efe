from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from rest_framework import serializers

from user_service.models import User


class UserSerializer(serializers.ModelSerializer):
    password = serializers.CharField(write_only=True, max_length=200, trim_whitespace=False)

    class Meta:
        model = User
        fields = ("id", "username", "email", "full_name", "role", "is_active", "created_at", "password")
        read_only_fields = ("id", "role", "is_active", "created_at")

    def validate_password(self, text):
        try:
            validate_password(text)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from None
        return text

    def create(self, validated):
        password = validated.pop("password")
        user = User(**validated)
        user.set_password(password)
        user.save(force_insert=True)
        return user

    def update(self, user, validated):
        password = validated.pop("password", None)
        if password is not None:
            user.set_password(password)
        return super().update(user, validated)


class OwnUserSerializer(UserSerializer):
    """What users may change of themselves: not their name, by which tickets and messages know them."""

    class Meta(UserSerializer.Meta):
        read_only_fields = (*UserSerializer.Meta.read_only_fields, "username")


class ManagedUserSerializer(UserSerializer):
    """What agents may change of others."""

    password = None

    class Meta(UserSerializer.Meta):
        fields = tuple(each for each in UserSerializer.Meta.fields if each != "password")
        read_only_fields = ("id", "username", "created_at")


class CredentialsSerializer(serializers.Serializer):
    username = serializers.CharField(max_length=40)
    password = serializers.CharField(max_length=200, trim_whitespace=False)
