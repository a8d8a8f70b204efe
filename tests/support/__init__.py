"""What every black-box suite shares: real servers, a raw RESP client, certificates, polling."""

from support.certificates import Certificates
from support.polling import eventually, stays
from support.redis_server import RedisServer
from support.resp import Failure, Push, decode, encode, inline
from support.sidecar import Sidecar, StartFailed
from support.wire import Closed, RawClient, TimedOut

__all__ = [
    "Certificates",
    "Closed",
    "Failure",
    "Push",
    "RawClient",
    "RedisServer",
    "Sidecar",
    "StartFailed",
    "TimedOut",
    "decode",
    "encode",
    "eventually",
    "inline",
    "stays",
]
