"""Which requests the application never sees, and what is answered in its place, in the contract's Error shape."""

import json
import re
from contextlib import suppress
from http import HTTPStatus

import structlog
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask
from waitress.utilities import Error

from app.api.errors import RETRY_AFTER_S

log = structlog.get_logger(__name__)

MAX_HEAD_BYTES = 32 * 1024
MAX_LINE_BYTES = 8 * 1024
"""Of a chunk's size with its extensions, and of all trailers: waitress looks through them again with every byte."""
_FOLD = re.compile(rb"\r\n[ \t]")
WORDS = {
    400: "the request is not valid HTTP: ",
    408: "the request did not arrive within ",
    413: "the request's body is larger than any that is taken",
    417: "no expectation but '100-continue' can be met",
    431: "the request's header is too large",
    501: "no transfer coding but 'chunked' is known here",
    503: "the server's disk is full, and it has no room for so large a request; free some there and try again",
}
"""Where a space ends them, the error's own follow."""
DEFECT = "internal server error; the server's log has it"


class Request(HTTPRequestParser):
    """Refuses what another reader, a proxy say, could understand in another way than waitress does."""

    expect_continue: bool

    def received(self, data: bytes) -> int:
        consumed = self._take(data)
        if self.chunked and len(self.body_rcv.control_line + self.body_rcv.trailer) > MAX_LINE_BYTES:
            self.refuse(400, "A line between its chunks is too long")
        self.expect_continue = self.expect_continue and not self.completed
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """The whole head of a request, without the empty line. A ParsingError is answered with 400, in its words."""
        if _FOLD.search(header_plus):
            raise ParsingError("A header field is folded over two lines")
        try:
            super().parse_header(header_plus)
        except ValueError:
            raise ParsingError("Its target or its length cannot be read") from None
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("Its version is neither HTTP/1.0 nor HTTP/1.1")
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("It has chunks besides a length, or is HTTP/1.0")
        if self.headers.get("EXPECT", "100-continue").lower() != "100-continue":
            self.refuse(417, "")

    def _take(self, data: bytes) -> int:
        """A large body waits on disk. Where that takes no more, its file is closed at once, which tries to write again:
        later that would be an error nobody expects."""
        try:
            consumed: int = super().received(data)
        except OSError as error:
            log.error("no room on disk for a request", error=str(error))
            with suppress(OSError):
                self.close()
            self.refuse(503, "")
            return len(data)
        return consumed

    def refuse(self, status: int, why: str) -> None:
        self.error, self.completed = Error(why), True
        self.error.code = status


class Refusal(ErrorTask):
    """Closes the connection, as nobody knows where a next request would begin."""

    def execute(self) -> None:
        """Answer in one of waitress's threads; the log has the reason too, as the client may not show it."""
        status, why = HTTPStatus(self.request.error.code), self._why()
        log.info("request refused", status=int(status), why=why, client=self.channel.addr)
        body = json.dumps({"error": why}).encode() + b"\n"
        self.version, self.status, self.content_length = "1.1", f"{status} {status.phrase}", len(body)
        self.response_headers += [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            self.response_headers.append(("Retry-After", str(RETRY_AFTER_S)))
        self.set_close_on_finish()
        self.write(body)

    def _why(self) -> str:
        """waitress's words may repeat the request, which may hold a token, but only after a quotation mark."""
        words = WORDS.get(self.request.error.code, DEFECT)
        return words + self.request.error.body.partition('"')[0].strip() if words.endswith(" ") else words
