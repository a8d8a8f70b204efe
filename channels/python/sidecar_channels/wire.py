"""One connection to the sidecar: commands out, replies in, in order.

redis-py makes it (TLS, passwords, Sentinel) and closes it. What lies between is done here, on its transport:
through its streams a reply costs several turns of the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError

from .engine import Engine
from .hosts import CONNECT_TIMEOUT_SECONDS, Hosts
from .protocol import Command
from .resp import MORE, make_reader, pack

LOST: tuple[type[BaseException], ...] = (RedisError, OSError, EOFError, asyncio.TimeoutError)
"""What reading or writing may raise when the connection is of no more use (a ResponseError is an answer)."""

CLOSE_SECONDS = 1.0


class Wire(asyncio.Protocol):
    def __init__(self, engine: Engine, connection: Any) -> None:
        self._engine = engine
        self._connection = connection
        self._descriptor = -1
        self._transport: Any = None
        self._former: Any = None
        """redis-py's protocol, which must know of the end to close in good order."""
        self._reader = make_reader(connection._parser.parse_error)
        self._heard = 0.0
        self._end: BaseException | None = None
        self._news: asyncio.Future[None] | None = None
        """Of who waits for a reply, or for the end."""
        self._room: asyncio.Future[None] | None = None
        """There while the other side does not read."""
        self._take: Callable[[Any], None] | None = None

    @classmethod
    async def open(cls, engine: Engine, hosts: Hosts) -> Wire:
        """To the host that is current. Raises one of LOST."""
        wire = cls(engine, hosts.make_connection())
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                await wire._connection.connect()
            wire._take_over()
        except BaseException:
            await wire.close()
            raise
        return wire

    def _take_over(self) -> None:
        transport = self._transport = self._connection._writer.transport
        if transport.is_closing() or self._connection._reader.at_eof():
            raise RedisConnectionError("closed as soon as it was made")
        self._former = transport.get_protocol()
        transport.set_protocol(self)
        socket = transport.get_extra_info("socket")
        if socket is not None:
            self._descriptor = socket.fileno()
            self._engine.descriptors.add(self._descriptor)

    # Called by the transport

    def data_received(self, data: bytes) -> None:
        self._heard = self._engine.loop.time()
        self._reader.feed(data)
        if self._take is not None:
            self._give()
        else:
            self._tell()

    def pause_writing(self) -> None:
        self._room = self._engine.loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def connection_lost(self, error: BaseException | None) -> None:
        self._fail(error or RedisConnectionError("the sidecar closed the connection"))
        self.resume_writing()
        self._former.connection_lost(error)

    # Called by its owner

    def put(self, command: Command) -> None:
        """write() for who never has much under way."""
        self._transport.write(pack((command,)))

    async def write(self, commands: Iterable[Command]) -> None:
        """All in one write."""
        if self._end is not None:
            raise self._end
        self._transport.write(pack(commands))
        if self._room is not None:
            await self._room

    async def read(self) -> Any:
        """The next reply; an error reply is raised as ResponseError."""
        while (reply := self._gets()) is MORE:
            await self._wait()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def ask(self, command: Command, seconds: float = CONNECT_TIMEOUT_SECONDS) -> Any:
        # Not asyncio.wait_for(): before Python 3.12 it may swallow a cancellation.
        async with asyncio.timeout(seconds):
            await self.write([command])
            return await self.read()

    async def listen(self, take: Callable[[Any], None], seconds: float) -> NoReturn:
        """Every reply goes to `take` as it comes. Ends by raising: also when nothing has come for so long."""
        self._take = take
        self._heard = self._engine.loop.time()
        try:
            self._give()
            while True:
                quiet = self._engine.loop.time() - self._heard
                if quiet >= seconds:
                    raise TimeoutError(f"nothing was heard for {quiet:.1f} s")
                with contextlib.suppress(asyncio.TimeoutError):
                    async with asyncio.timeout(seconds - quiet):
                        await self._wait()
        finally:
            self._take = None

    async def close(self) -> None:
        self._engine.descriptors.discard(self._descriptor)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._connection.disconnect()

    def _give(self) -> None:
        try:
            while self._take is not None and (reply := self._gets()) is not MORE:
                if isinstance(reply, Exception):
                    raise reply
                self._take(reply)
        except Exception as error:
            self._take = None
            self._fail(error)

    def _gets(self) -> Any:
        try:
            return self._reader.gets()
        except ValueError as error:
            raise InvalidResponse(str(error)) from error

    async def _wait(self) -> None:
        """For bytes or the end; raises when there will be no more."""
        if self._end is not None:
            raise self._end
        self._news = self._engine.loop.create_future()
        await self._news

    def _fail(self, error: BaseException) -> None:
        self._end = error
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
