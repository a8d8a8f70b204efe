"""Whether a file carries a virus: asked of clamd where there is one, else by the EICAR test signature alone.

clamd's INSTREAM takes chunks, each behind its length; an empty one ends the stream. The answer is one line.
"""

import socket
import struct
from dataclasses import dataclass

from django.conf import settings

CHUNK_BYTES = 64 * 1024
CLAMD_SECONDS = 30
ANSWER_BYTES_MAX = 4096
# In two parts, so that scanners do not take this file for the test file.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + rb"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class ScannerUnavailable(Exception):
    """clamd did not answer, or not as it should: the file is neither clean nor infected."""


class TooLarge(Exception):
    """clamd will never look at it."""


@dataclass(frozen=True)
class Verdict:
    clean: bool
    scanned_by: str
    virus: str = ""


def scan(path, on_bytes):
    """on_bytes(count) is called as the scan goes on."""
    host = settings.HDMS_CLAMAV_HOST
    with path.open("rb") as stream:
        if host:
            return scan_by_clamd(host, settings.HDMS_CLAMAV_PORT, stream, on_bytes)
        return scan_by_signature(stream, on_bytes)


def scan_by_signature(stream, on_bytes):
    """Chunks overlap by the signature's length, so that it is found across their borders."""
    seen = b""
    while chunk := stream.read(CHUNK_BYTES):
        seen = seen[-(len(EICAR) - 1) :] + chunk
        if EICAR in seen:
            return Verdict(clean=False, scanned_by="signature", virus="EICAR-Test-File")
        on_bytes(len(chunk))
    return Verdict(clean=True, scanned_by="signature")


def scan_by_clamd(host, port, stream, on_bytes):
    try:
        with socket.create_connection((host, port), timeout=CLAMD_SECONDS) as link:
            return clamd_verdict(converse(link, stream, on_bytes))
    except OSError as error:
        raise ScannerUnavailable(f"clamd at {host}:{port}: {error}") from error


def converse(link, stream, on_bytes):
    try:
        link.sendall(b"zINSTREAM\0")
        while chunk := stream.read(CHUNK_BYTES):
            link.sendall(struct.pack("!I", len(chunk)) + chunk)
            on_bytes(len(chunk))
        link.sendall(struct.pack("!I", 0))
    except (BrokenPipeError, ConnectionResetError):
        # clamd has closed early, at its size limit: its answer tells why.
        pass
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < ANSWER_BYTES_MAX:
        part = link.recv(ANSWER_BYTES_MAX)
        if not part:
            break
        answer += part
    return answer.rstrip(b"\0\n").decode("utf-8", "replace")


def clamd_verdict(answer):
    _, _, result = answer.partition(": ")
    if result == "OK":
        return Verdict(clean=True, scanned_by="clamd")
    if result.endswith(" FOUND"):
        return Verdict(clean=False, scanned_by="clamd", virus=result.removesuffix(" FOUND")[:100])
    if "size limit exceeded" in answer:
        raise TooLarge("larger than clamd takes (its StreamMaxLength)")
    raise ScannerUnavailable(f"clamd answered {answer!r}")
