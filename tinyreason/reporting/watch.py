"""The page that lives: a small server on this machine alone, which shows a run, or a folder of runs, while it is going.

Tornado answers: one package without dependencies, as old and as looked after as Jupyter, which is built on it. The
standard library's http.server is, in its own words, not recommended where security matters. Nobody but this machine
can reach the server, and of the pages that a browser has open only its own: the address holds a random token, and a
request with another token, of another origin, or by another name of the host (DNS rebinding) is refused.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from http.client import responses
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from tinyreason.errors import ConfigError, FolderError, TinyReasonError
from tinyreason.reporting.live import LiveRun
from tinyreason.reporting.report import render, render_page
from tinyreason.reporting.runs_table import RunsTable, find_runs, render_runs
from tinyreason.runs.heartbeat import ask_to_stop
from tinyreason.runs.reader import read_run

LOOPBACK = "127.0.0.1"
NAMES = (LOOPBACK, "localhost")
"""What a browser of this machine calls it; a tunnel's end has one of them too, at a port of its own."""
LONGEST_REQUEST = 10_000
"""Bytes of a body: nothing that is asked here is long."""
ROWS_IDLE_PER_WORK, LONGEST_IDLE_S = 100, 10.0
"""A table is read again after so many times what that took, and after so many seconds at the latest."""
LINGER_S = 120.0
"""A server that a run started ends so long after the run, where no page asks any more."""


class Watched:
    """What the server shows: a run, or every run below a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.table = RunsTable(folder, lambda name, _: f"r/{quote(name)}/")
        self.asked = time.monotonic()
        """When a page last asked."""
        self._runs: dict[str, LiveRun] = {}
        self._rows, self._next_rows = {}, 0.0

    @property
    def is_of_several(self) -> bool:
        """Whether it is a folder of runs."""
        return bool(find_runs(self.folder))

    def run(self, name: str) -> LiveRun:
        """Returns a run by its name in the table, the one that is watched by none. Errors: `KeyError`."""
        if name not in self._runs:
            if name and name not in find_runs(self.folder):
                raise KeyError(name)
            self._runs[name] = LiveRun(self.folder / name)
        return self._runs[name]

    def rows(self) -> dict[str, Any]:
        """Returns the table, read again when that costs little enough."""
        begin = time.monotonic()
        if begin >= self._next_rows:
            self._rows = self.table.payload()
            took = time.monotonic() - begin
            self._next_rows = begin + min(LONGEST_IDLE_S, ROWS_IDLE_PER_WORK * took)
        return self._rows

    def is_going(self) -> bool:
        """Returns whether anything is still going; what never began is not."""
        if self.is_of_several:
            return any(row["verdict"] == "going" for row in self.rows()["rows"])
        run = self.run("")
        return run.is_there and run.look().state == "going"


class Page(RequestHandler):
    """Answers nobody but the pages that this server made."""

    def initialize(self, watched: Watched, token: str) -> None:
        self.watched, self.token, self.nonce = watched, token, secrets.token_urlsafe(16)

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")

    def prepare(self) -> None:
        """Refuses whoever is not one of our pages, before anything is looked up."""
        host, origin = self.request.headers.get("Host", ""), self.request.headers.get("Origin")
        if urlsplit(f"//{host}").hostname not in NAMES:
            raise HTTPError(403, reason="another host")
        if origin is not None and origin != f"http://{host}":
            raise HTTPError(403, reason="another origin")
        if self.request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            raise HTTPError(403, reason="another origin")
        token = self.request.path.split("/")[1]
        if not secrets.compare_digest(token.encode("utf-8", "replace"), self.token.encode()):
            raise HTTPError(403, reason="another token")
        self.watched.asked = time.monotonic()
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{self.nonce}'; img-src data:; "
            "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        )

    def write_error(self, status_code: int, exc_info: tuple = (None, None, None), **_: Any) -> None:
        """Says in a few words why not, and nothing of the server's inside."""
        reason = getattr(exc_info[1], "reason", None) or responses.get(status_code, "error")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code} {reason}\n")

    async def get(self, _: str, name: str | None, what: str) -> None:
        if what == "stop":
            raise HTTPError(405)
        if not name and self.watched.is_of_several:
            return self.show_table(what)
        run = self.named(name)
        if what == "state":
            return self.send(run.news(self.number("beginning"), self.number("step")))
        is_done = run.is_there and run.look().state == "done"
        if not (is_done or what == "full"):
            return self.finish(
                render("watch.html.jinja", self.nonce, name=run.path.resolve().name, is_below=bool(name))
            )
        if not run.is_there:
            raise HTTPError(404, reason="the run has not begun")
        nonce = self.nonce
        page = lambda: render_page([read_run(run.path)], nonce=nonce)  # noqa: E731
        self.finish(await asyncio.get_running_loop().run_in_executor(None, page))

    def post(self, _: str, name: str | None, what: str) -> None:
        """Asks a run to stop; only our own pages can send this header to us, and an origin they always send."""
        headers = self.request.headers
        if what != "stop" or not headers.get("Origin") or headers.get("Content-Type") != "application/json":
            raise HTTPError(403, reason="another origin")
        run = self.named(name)
        if not run.is_there or run.look().state != "going":
            raise HTTPError(409, reason="the run is not going")
        try:
            ask_to_stop(run.path)
        except FolderError as error:
            raise HTTPError(409, reason="the run's folder cannot be written") from error
        self.send({"stopping": "the page"})

    def named(self, name: str | None) -> LiveRun:
        """Returns the run of an address. Errors: `HTTPError`."""
        try:
            return self.watched.run(name or "")
        except KeyError:
            raise HTTPError(404, reason="no such run") from None

    def show_table(self, what: str) -> None:
        if what == "state":
            return self.send({"state": "several"} | self.watched.rows())
        self.finish(render_runs(self.watched.folder, self.watched.rows(), self.nonce, is_live=True))

    def number(self, name: str) -> int:
        """Returns a number of the address, 0 where it is none."""
        text = self.get_query_argument(name, "0")
        return int(text) if text.isdecimal() and len(text) < 10 else 0

    def send(self, value: dict[str, Any]) -> None:
        """Sends JSON, whatever characters a model wrote."""
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(value, allow_nan=False))


def application(watched: Watched, token: str) -> Application:
    """Returns the server's application; every address that is not one of its pages is refused like a wrong token."""
    known = {"watched": watched, "token": token}
    pages = [(r"/([^/]+)/(?:r/(.+)/)?(state|stop|full|)", Page, known)]
    return Application(pages, default_handler_class=Refused, default_handler_args=known, log_function=lambda _: None)


class Refused(Page):
    """Answers addresses that do not exist."""

    def prepare(self) -> None:
        """Refuses them all: 403 as a wrong token is, or 404 with the token."""
        super().prepare()
        raise HTTPError(404)


def serve(folder: Path, port: int, tell: Callable[[str], None], ends_with_run: bool = False) -> None:
    """Shows a run, or a folder of runs, until Ctrl-C; `tell` is called with the address once it answers.

    `port`: 0 = a free one. `ends_with_run`: end by itself once nothing is going and no page has asked for a while.
    Errors: `ConfigError` where the port is taken.
    """
    asyncio.run(_serve(folder, port, tell, ends_with_run))


async def _serve(folder: Path, port: int, tell: Callable[[str], None], ends_with_run: bool) -> None:
    token = secrets.token_urlsafe(24)
    try:
        sockets = bind_sockets(port, LOOPBACK)
    except OSError as error:
        raise ConfigError(
            f"--port {port} cannot be used: {error.strerror or error}; leave it out for a free one."
        ) from None
    watched = Watched(folder)
    server = HTTPServer(application(watched, token), max_body_size=LONGEST_REQUEST, max_buffer_size=LONGEST_REQUEST)
    server.add_sockets(sockets)
    tell(f"http://{LOOPBACK}:{sockets[0].getsockname()[1]}/{token}/")
    while not (ends_with_run and time.monotonic() - watched.asked > LINGER_S and not _is_going(watched)):
        await asyncio.sleep(LINGER_S / 10 if ends_with_run else 3600)
    server.stop()


def _is_going(watched: Watched) -> bool:
    try:
        return watched.is_going()
    except TinyReasonError:
        return False
