"""Answers to requests that never reach the application, in the contract's Error shape like all others."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from gunicorn.http import errors

from app.api.serving.outbox import Outbox

log = structlog.get_logger(__name__)

UNREADABLE = "the request is not valid HTTP: "
WORDS: tuple[tuple[type[Exception], HTTPStatus, str], ...] = (
    (errors.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG, "the request's first line is too long"),
    (errors.LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's header is too large"),
    (errors.ExpectationFailed, HTTPStatus.EXPECTATION_FAILED, "no expectation but '100-continue' can be met"),
    (errors.UnsupportedTransferCoding, HTTPStatus.NOT_IMPLEMENTED, "no transfer coding but 'chunked' is known here"),
    (errors.InvalidHTTPVersion, HTTPStatus.BAD_REQUEST, UNREADABLE + "its version is neither HTTP/1.0 nor HTTP/1.1"),
    (errors.InvalidRequestMethod, HTTPStatus.BAD_REQUEST, UNREADABLE + "its method is none"),
    (errors.InvalidRequestLine, HTTPStatus.BAD_REQUEST, UNREADABLE + "its first line is not METHOD /path HTTP/1.1"),
    (errors.InvalidHeaderName, HTTPStatus.BAD_REQUEST, UNREADABLE + "the name of a header field is none"),
    (errors.ObsoleteFolding, HTTPStatus.BAD_REQUEST, UNREADABLE + "a header field is folded over two lines"),
    (errors.InvalidHeader, HTTPStatus.BAD_REQUEST, UNREADABLE + "a header field is malformed or contradicts another"),
    (errors.NoMoreData, HTTPStatus.BAD_REQUEST, UNREADABLE + "it ends too early"),
    (errors.InvalidChunkSize, HTTPStatus.BAD_REQUEST, UNREADABLE + "the size of a chunk is no hexadecimal number"),
    (errors.ChunkMissingTerminator, HTTPStatus.BAD_REQUEST, UNREADABLE + "a chunk is longer or shorter than it says"),
    (errors.ParseException, HTTPStatus.BAD_REQUEST, UNREADABLE + "it cannot be read"),
)
"""The first that fits. Nothing of the request is repeated: it may hold a token."""


@dataclass(frozen=True)
class Refusal:
    """What is answered in place of the application."""

    status: HTTPStatus
    message: str

    def to_bytes(self) -> bytes:
        """The whole answer; the connection is closed after it, as nobody knows where a next request would begin."""
        body = json.dumps({"error": self.message}).encode() + b"\n"
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            "Connection: close",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "X-Content-Type-Options: nosniff",
        )
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body


TOO_LARGE_A_HEAD = Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's header is too large")
TOO_LARGE_A_BODY = Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request's body is larger than any that is taken")
DEFECT = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal server error; the server's log has it")


def refuse(refusal: Refusal, outbox: Outbox, client: Any) -> None:
    """`client` is the address it came from, for the log."""
    log.info("request refused", status=int(refusal.status), why=refusal.message, client=client)
    outbox.sendall(refusal.to_bytes())


def of_unreadable(error: Exception) -> Refusal:
    """For what gunicorn's parser says of a request."""
    status, message = next((status, message) for kind, status, message in WORDS if isinstance(error, kind))
    return Refusal(status, message)


def of_late(timeout_s: float) -> Refusal:
    return Refusal(HTTPStatus.REQUEST_TIMEOUT, f"the request did not arrive within {timeout_s:g} seconds")
