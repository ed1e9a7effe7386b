"""One request and its answer: read by gunicorn's parser, answered by the application, written piece by piece.

Whoever goes on with an exchange does so until the client has to take something, or to the end; that may be another
thread each time, and never two at once. The application sees one context all the way.
"""

import contextvars
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack
from typing import Any

from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

from app.api.serving import refusals
from app.api.serving.arrival import Arrival
from app.api.serving.outbox import Outbox

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
        self._is_last = is_last or arrival.is_cut
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
        request = self._read(parser)
        if request is None:
            return
        request._expected_100_continue = False  # the client has been told already, or did not wait
        response, environ = wsgi.create(request, self._outbox, self._client, self._server, self._config)
        environ["wsgi.multithread"] = True
        del environ["wsgi.file_wrapper"]  # it would write a file to the socket at one go
        if self._is_last:
            response.force_close()
        yield from self._write(environ, response)
        if not response.should_close() and parser.finish_body():
            self.rest = parser.unreader.take_buffered() + self._arrival.rest()

    def _read(self, parser: RequestParser) -> Request | None:
        self._arrival.begin_reading()
        try:
            return next(parser)
        except (ParseException, NoMoreData) as error:
            too_large = isinstance(error, NoMoreData) and self._arrival.is_head_too_large
            refusal = refusals.TOO_LARGE_A_HEAD if too_large else refusals.of_unreadable(error)
            self._outbox.sendall(refusal.to_bytes())
            return None

    def _write(self, environ: dict[str, Any], response: Any) -> Generator[None]:
        with ExitStack() as stack:
            pieces = self._application(environ, response.start_response)
            if close := getattr(pieces, "close", None):
                stack.callback(close)
            for piece in pieces:
                response.write(piece)
                yield
            response.close()
