"""A reverse proxy as people put before the page: nginx's plain `proxy_pass`, or one that says for whom it asks.

Source: nginx.org, ngx_http_proxy_module: by default `Host` becomes $proxy_host, `Connection` close, and no header tells
of the client; `proxy_set_header` adds those.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.fakes.clock import PATIENCE

__all__ = ["ReverseProxy"]

_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "content-length"}


class ReverseProxy:
    """`with ReverseProxy(backend_port) as proxy`: at `port`. `forwards`: it tells Host, X-Forwarded-For and -Proto."""

    def __init__(self, backend: int, *, forwards: bool = False, port: int = 0) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), type("_Handler", (_Handler,), {}))
        self._server.daemon_threads = True
        self._server.RequestHandlerClass.backend = backend  # type: ignore[attr-defined]
        self._server.RequestHandlerClass.forwards = forwards  # type: ignore[attr-defined]
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    backend: int
    forwards: bool

    def _headers(self) -> Mapping[str, str]:
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        if not self.forwards:
            return {**kept, "Host": f"127.0.0.1:{self.backend}", "Connection": "close"}
        client = self.client_address[0]
        before = self.headers.get("X-Forwarded-For")
        chain = f"{before}, {client}" if before else client  # $proxy_add_x_forwarded_for
        host = self.headers["Host"]
        return {**kept, "Host": host, "Connection": "close", "X-Forwarded-For": chain, "X-Forwarded-Proto": "http"}

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = http.client.HTTPConnection("127.0.0.1", self.backend, timeout=PATIENCE)
        try:
            asked.request(self.command, self.path, body or None, dict(self._headers()))
            answer = asked.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP | {"date", "server"}:
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            while piece := answer.read1(65_536):
                self.wfile.write(piece)
                self.wfile.flush()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        finally:
            asked.close()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _pass

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
