"""Messages to bytes and back: msgpack (default), JSON, or the application's own class, encrypted if asked.

Fits what an application has written for channels_redis: the same registry calls and the same class shape.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import msgpack

Key = str | bytes

DECRYPT_SLACK_SECONDS = 10
"""A token is accepted this much longer than a message lives: clocks differ."""


class SerializerDoesNotExist(KeyError):
    """No serializer of that name is registered."""


def _make_crypter(keys: Sequence[Key] | None) -> Any:
    if not keys:
        return None
    if isinstance(keys, (str, bytes)):
        raise ValueError("symmetric_encryption_keys must be a list of keys, the first encrypts")
    try:
        from cryptography.fernet import Fernet, MultiFernet
    except ImportError as error:
        raise ValueError("symmetric_encryption_keys needs the package `cryptography`") from error
    raw = [key.encode() if isinstance(key, str) else key for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key).digest())) for key in raw])


class BaseMessageSerializer(ABC):
    """Subclasses say `as_bytes` and `from_bytes`. expiry: seconds. Random bytes go in front only if asked."""

    def __init__(
        self,
        symmetric_encryption_keys: Sequence[Key] | None = None,
        random_prefix_length: int = 0,
        expiry: int | None = None,
    ) -> None:
        self.random_prefix_length = random_prefix_length
        self.expiry = expiry
        self.crypter = _make_crypter(symmetric_encryption_keys)

    @abstractmethod
    def as_bytes(self, message: Any) -> bytes: ...

    @abstractmethod
    def from_bytes(self, message: bytes) -> Any: ...

    def serialize(self, message: Any) -> bytes:
        data = self.as_bytes(message)
        if self.crypter is not None:
            data = self.crypter.encrypt(data)
        return secrets.token_bytes(self.random_prefix_length) + data if self.random_prefix_length else data

    def deserialize(self, message: bytes) -> Any:
        return self.from_bytes(self.open(message))

    def open(self, data: bytes) -> bytes:
        """Prefix and encryption removed: what the receivers of one group message can share."""
        if self.random_prefix_length:
            data = data[self.random_prefix_length :]
        if self.crypter is None:
            return data
        ttl = None if self.expiry is None else self.expiry + DECRYPT_SLACK_SECONDS
        plain: bytes = self.crypter.decrypt(data, ttl)
        return plain


class MsgPackSerializer(BaseMessageSerializer):
    def as_bytes(self, message: Any) -> bytes:
        packed: bytes = msgpack.packb(message)
        return packed

    def from_bytes(self, message: bytes) -> Any:
        return msgpack.unpackb(message)


class JSONSerializer(BaseMessageSerializer):
    def as_bytes(self, message: Any) -> bytes:
        return json.dumps(message).encode()

    def from_bytes(self, message: bytes) -> Any:
        return json.loads(message)


class SerializersRegistry:
    """Names to classes, for the option `serializer_format`."""

    def __init__(self) -> None:
        self._classes: dict[str, type] = {}

    def register_serializer(self, format: str, serializer_class: type) -> None:
        fits = isinstance(serializer_class, type) and all(
            hasattr(serializer_class, name) for name in ("serialize", "deserialize")
        )
        assert fits, "a serializer is a class with serialize() and deserialize()"
        self._classes[format] = serializer_class

    def get_serializer(self, format: str, **options: Any) -> Any:
        """Also knows what the application has registered with channels_redis, if that is loaded."""
        if format in self._classes:
            return self._classes[format](**options)
        other = sys.modules.get("channels_redis.serializers")
        if other is None:
            raise SerializerDoesNotExist(format)
        try:
            return other.registry.get_serializer(format, **options)
        except other.SerializerDoesNotExist as error:
            raise SerializerDoesNotExist(format) from error


registry = SerializersRegistry()
registry.register_serializer("json", JSONSerializer)
registry.register_serializer("msgpack", MsgPackSerializer)
