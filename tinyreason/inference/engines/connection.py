"""Requests to a server that samples: many at once, sent again while it is away, and heard in the order of its answers.

They are sent from a thread with an event loop of its own, so that the caller hears Ctrl-C, and a notebook's loop is
left alone.
"""

import asyncio
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import tenacity

from tinyreason.config.inference import VllmServer
from tinyreason.errors import ServerError, Stopped

COMPLETIONS = "/v1/completions"
CONNECTIONS = 256
"""So many requests are on their way at once; the server has a queue of its own."""
CONNECT_S = 10.0
MOST_TIMEOUTS = 3
"""A completion that was not done in time is asked for so often."""
BACKOFF = tenacity.wait_exponential(multiplier=0.2, max=10) + tenacity.wait_random(0, 0.1)
SHOWN_CHARACTERS = 300
GOES_IN_S = 5.0
Body = dict[str, Any]


class Unanswered(Exception):
    """A request that came to nothing, and is sent again."""


class TooSlow(Unanswered):
    """A completion that was not done in time."""


class Gone(Exception):
    """A server that stays away, in the loop, where a `Stopped` would tear down more than the request."""


class NotThere(Exception):
    """The server knows no model of this name, or has no such page."""


@dataclass
class Connection:
    """Speaks with one server."""

    settings: VllmServer
    key: str
    """Empty = none is sent."""
    say: Callable[[str], None]
    away_since: float | None = None
    """When the server was last found away; None = it answers."""

    def once(self, method: str, path: str, body: Body | None = None, patience_s: float | None = None) -> Any:
        """Returns what one request is answered with. Errors: `ServerError` where nobody answers, `NotThere`."""
        timeout = httpx.Timeout(patience_s or self.settings.timeout_s, connect=CONNECT_S)
        try:
            with httpx.Client(base_url=self.settings.url, headers=self.headers(), timeout=timeout) as http:
                return self.read(http.request(method, path, json=body))
        except httpx.HTTPError as error:
            raise Unanswered(self.hidden(str(error) or type(error).__name__)) from None

    def answers(self, path: str, bodies: dict[int, Body]) -> Iterator[tuple[int, Any]]:
        """Yields (number, answer) of each request, as they are answered.

        Errors: `Stopped` where the server stays away, `ServerError` where it refuses, `NotThere`.
        """
        found: queue.SimpleQueue = queue.SimpleQueue()
        loop = asyncio.new_event_loop()
        work = loop.create_task(self.ask_all(path, bodies, found))
        thread = threading.Thread(target=_run, args=(loop, work, found), daemon=True)
        thread.start()
        left = len(bodies)
        try:
            while left:
                it = found.get()
                if isinstance(it, Gone):
                    raise Stopped(str(it))
                if isinstance(it, BaseException):
                    raise it
                if isinstance(it, str):
                    self.say(it)
                else:
                    yield it
                    left -= 1
        finally:
            with suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(work.cancel)
            thread.join(GOES_IN_S)

    async def ask_all(self, path: str, bodies: dict[int, Body], found: queue.SimpleQueue) -> None:
        """Puts (number, answer) of every request into `found`, and sentences to be said."""
        timeout = httpx.Timeout(self.settings.timeout_s, connect=CONNECT_S, pool=None)
        limits, places = httpx.Limits(max_connections=CONNECTIONS), asyncio.Semaphore(CONNECTIONS)
        known = {"base_url": self.settings.url, "headers": self.headers(), "timeout": timeout, "limits": limits}

        async def ask(number: int, body: Body) -> None:
            async with places:
                found.put((number, await self.ask(http, path, body, found.put)))

        async with httpx.AsyncClient(**known) as http, asyncio.TaskGroup() as group:
            for number, body in bodies.items():
                group.create_task(ask(number, body))

    async def ask(self, http: httpx.AsyncClient, path: str, body: Body, say: Callable[[str], None]) -> Any:
        """Returns the answer to one request, after as many tries as it takes."""
        slow = 0

        def gives_up(state: tenacity.RetryCallState) -> bool:
            nonlocal slow
            slow += isinstance(state.outcome.exception(), TooSlow)
            return slow >= MOST_TIMEOUTS or time.monotonic() - self.away_since > self.settings.patience_s

        tries = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(Unanswered), wait=BACKOFF, stop=gives_up, reraise=True
        )
        try:
            return await tries(self.send, http, path, body, say)
        except TooSlow as fault:
            raise Gone(f"{fault}, {MOST_TIMEOUTS} times; raise inference.server.timeout_s") from None
        except Unanswered as fault:
            raise Gone(
                f"the server at {self.settings.url} has not answered for {self.settings.patience_s:g} s ({fault})"
            ) from None

    async def send(self, http: httpx.AsyncClient, path: str, body: Body, say: Callable[[str], None]) -> Any:
        """Sends one request once."""
        try:
            try:
                answer = self.read(await http.post(path, json=body))
            except httpx.ReadTimeout:
                raise TooSlow(f"a completion took longer than {self.settings.timeout_s:g} s") from None
            except httpx.HTTPError as error:
                raise Unanswered(self.hidden(str(error) or type(error).__name__)) from None
        except Unanswered as fault:
            if self.away_since is None:
                self.away_since = time.monotonic()
                say(f"the server at {self.settings.url} does not answer ({fault}); trying again")
            raise
        if self.away_since is not None:
            self.away_since = None
            say(f"the server at {self.settings.url} answers again")
        return answer

    def read(self, response: httpx.Response) -> Any:
        """Returns the JSON (or the text) of an answer. Errors: `Unanswered`, `NotThere`, `ServerError`."""
        status, text = response.status_code, self.hidden(response.text)
        said = _complaint(text)
        if status in (401, 403):
            raise ServerError(
                f"the server at {self.settings.url} refuses the key in {self.settings.key_variable} (HTTP {status}); "
                f"check both, or name another variable with inference.server.key_variable=."
            )
        if status == 404:
            raise NotThere(said)
        if status in (408, 409, 425, 429) or (status >= 500 and response.request.url.path == COMPLETIONS):
            raise Unanswered(f"HTTP {status}{said and f': {said}'}")
        if status != 200:
            raise ServerError(f"the server at {self.settings.url} refuses a request (HTTP {status}): {said}.")
        try:
            answer = json.loads(text)
        except ValueError:
            return text
        if is_broken_off(answer):
            raise Unanswered("a completion was broken off")
        return answer

    def headers(self) -> dict[str, str]:
        """Returns what goes with every request."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def hidden(self, text: str) -> str:
        """Returns the text without the key, which a server may repeat."""
        return text.replace(self.key, "[key]") if self.key else text


def is_broken_off(answer: Any) -> bool:
    """Returns whether a completion ended for another reason than an end token or the limit, as when a server ends."""
    try:
        return answer["choices"][0]["finish_reason"] not in ("stop", "length")
    except (LookupError, TypeError):
        return False


def _run(loop: asyncio.AbstractEventLoop, work: asyncio.Task, found: queue.SimpleQueue) -> None:
    """Runs the loop until its work is done; what that failed with is put into `found`."""
    try:
        loop.run_until_complete(work)
    except asyncio.CancelledError:
        return
    except BaseExceptionGroup as group:
        found.put(group.exceptions[0])
    except BaseException as error:
        found.put(error)
    finally:
        loop.close()


def _complaint(text: str) -> str:
    """Returns the message of an error's body, on one line."""
    try:
        body = json.loads(text)
        error = body.get("error", body)
        said = error.get("message") or error.get("detail") or "" if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        said = text
    return " ".join(str(said).split())[:SHOWN_CHARACTERS].rstrip(".")
