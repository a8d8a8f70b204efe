"""One connection of redis-py that has said CH.HELLO: commands out, replies in, in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

from redis.exceptions import RedisError

from .engine import Engine
from .hosts import CONNECT_TIMEOUT_SECONDS, Hosts
from .protocol import Command

LOST: tuple[type[BaseException], ...] = (RedisError, OSError, EOFError, asyncio.TimeoutError)
"""What reading or writing may raise when the connection is of no more use (a ResponseError is an answer)."""

CLOSE_SECONDS = 1.0


class Wire:
    def __init__(self, engine: Engine, connection: Any) -> None:
        self._engine = engine
        self._connection = connection
        self._descriptor = -1

    @classmethod
    async def open(cls, engine: Engine, hosts: Hosts) -> Wire:
        """To the host that is current. Raises one of LOST."""
        wire = cls(engine, hosts.make_connection())
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                await wire._connection.connect()
        except BaseException:
            await wire.close()
            raise
        wire._note_descriptor()
        return wire

    def _note_descriptor(self) -> None:
        writer = getattr(self._connection, "_writer", None)
        socket = writer.get_extra_info("socket") if writer is not None else None
        if socket is not None:
            self._descriptor = socket.fileno()
            self._engine.descriptors.add(self._descriptor)

    async def write(self, commands: Iterable[Command]) -> None:
        """All in one write."""
        chunks: list[bytes] = []
        for command in commands:
            chunks.extend(self._connection.pack_command(*command))
        await self._connection.send_packed_command(chunks, check_health=False)

    async def read(self) -> Any:
        """The next reply; an error reply is raised as ResponseError."""
        return await self._connection.read_response()

    async def ask(self, command: Command, seconds: float = CONNECT_TIMEOUT_SECONDS) -> Any:
        # Not asyncio.wait_for(): before Python 3.12 it may swallow a cancellation.
        async with asyncio.timeout(seconds):
            await self.write([command])
            return await self.read()

    async def close(self) -> None:
        self._engine.descriptors.discard(self._descriptor)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._connection.disconnect()
