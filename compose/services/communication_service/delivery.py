"""Telling the open WebSockets of something new. What is new is stored before, so that nothing is lost when
the channel layer is down: consumers notice the gap in the numbers, or look by themselves now and then.
"""

import asyncio

from channels.layers import get_channel_layer

from hdms_common import connections
from hdms_common.retry import backoff_delay

TRIES = 6
# A layer may wait for Redis on its own; a person waits for the answer.
SEND_SECONDS = 2


def room_group(name):
    return f"room.{name}"


def user_group(user):
    """Groups may be named with few characters; user names with more."""
    return "user." + user.encode().hex()[:80]


async def tell(group, event):
    """True when the layer took it."""
    if not connections.channels.due():
        return False
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await get_channel_layer().group_send(group, event)
    except Exception as error:
        connections.channels.lost(error)
        return False
    connections.channels.answered()
    return True


async def tell_until_taken(group, event):
    for failures in range(1, TRIES + 1):
        if await tell(group, event):
            return True
        await asyncio.sleep(backoff_delay(failures))
    return False
