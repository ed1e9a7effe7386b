"""One request and its answer: read by gunicorn's parser, answered by the application, written piece by piece.

Whoever goes on with an exchange does so until the client has to take something, or to the end; that may be another
thread each time, and never two at once. The application sees one context all the way.
"""

import contextvars
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack
from io import BytesIO
from typing import Any

from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

from app.api.serving import refusals
from app.api.serving.arrival import Arrival
from app.api.serving.outbox import Outbox
from app.api.serving.refusals import Refusal

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Exchange:
    """`rest` is what came after the request, known once this is over; None where the connection ends with it.

    `ends` are the addresses of the client and of the server. `is_last`: the client is told that no other request is
    taken on this connection.
    """

    def __init__(
        self,
        application: Application,
        arrival: Arrival,
        outbox: Outbox,
        ends: tuple[Any, Any],
        config: Config,
        is_last: bool,
    ) -> None:
        self.rest: bytes | None = None
        self._application, self._arrival, self._outbox = application, arrival, outbox
        self._client, self._server = ends
        self._config = config
        self._is_last = is_last
        self._steps = self._answer()
        self._context = contextvars.Context()

    def advance(self) -> bool:
        """Go on; whether this is over. It is not where the client has not taken all of the answer so far."""
        while self._context.run(self._step):
            if self._outbox.size_bytes:
                return False
        return True

    def abandon(self) -> None:
        """The client is gone: the application is told so by the end of its answer."""
        self._context.run(self._steps.close)

    def _step(self) -> bool:
        return next(self._steps, self) is None

    def _answer(self) -> Generator[None]:
        parser = RequestParser(self._config, self._arrival, self._client)
        try:
            request, body = self._read(parser)
        except (ParseException, NoMoreData) as error:
            self._refuse(self._why(error))
            return
        response, environ = wsgi.create(request, self._outbox, self._client, self._server, self._config)
        environ["wsgi.multithread"] = True
        environ["wsgi.input"] = body
        if self._is_last:
            response.force_close()
        yield from self._write(environ, response)
        if not response.should_close() and parser.finish_body():
            self.rest = parser.unreader.take_buffered() + self._arrival.rest()

    def _read(self, parser: RequestParser) -> tuple[Request, Any]:
        """The request and its body. Chunks are put together here, where it can be said what is wrong with them."""
        self._arrival.begin_reading()
        request = next(parser)
        if self._arrival.is_cut:
            raise NoMoreData(None)
        request._expected_100_continue = False  # the client has been told already, or did not wait
        is_chunked = isinstance(request.body.reader, ChunkedReader)
        return request, BytesIO(request.body.read()) if is_chunked else request.body

    def _why(self, error: Exception) -> Refusal:
        if isinstance(error, NoMoreData) and self._arrival.is_cut:
            return refusals.TOO_LARGE_A_BODY if self._arrival.head else refusals.TOO_LARGE_A_HEAD
        return refusals.of_unreadable(error)

    def _refuse(self, refusal: Refusal) -> None:
        refusals.refuse(refusal, self._outbox, self._client)

    def _write(self, environ: dict[str, Any], response: Any) -> Generator[None]:
        try:
            with ExitStack() as stack:
                pieces = self._application(environ, response.start_response)
                if close := getattr(pieces, "close", None):
                    stack.callback(close)
                for piece in pieces:
                    response.write(piece)
                    yield
                response.close()
        except Exception:
            if not response.headers_sent:
                self._refuse(refusals.DEFECT)
            raise
