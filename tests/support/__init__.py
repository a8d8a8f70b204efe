"""What every black-box suite shares: real servers, a raw RESP client, certificates, polling."""

from support.certificates import Certificates
from support.fault_link import Ending, Towards
from support.fault_proxy import FaultProxy
from support.polling import eventually, slack, stays
from support.redis_server import RedisServer
from support.resp import Failure, Push, decode, encode, inline
from support.sidecar import Sidecar, StartFailed
from support.wire import Closed, RawClient, TimedOut

__all__ = [
    "Certificates",
    "Closed",
    "Ending",
    "Failure",
    "FaultProxy",
    "Push",
    "RawClient",
    "RedisServer",
    "Sidecar",
    "StartFailed",
    "TimedOut",
    "Towards",
    "decode",
    "encode",
    "eventually",
    "inline",
    "slack",
    "stays",
]
