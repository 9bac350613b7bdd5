"""Sends the requests to a chat endpoint: how many at once, what is tried again, when to stop."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx
import tenacity

from tinyreason.errors import CostLimit, TeacherError, TinyReasonError
from tinyreason.teachers.request import Answer, Request, Work

if TYPE_CHECKING:
    from tinyreason.teachers.openai import Openai

LARGEST_BODY_BYTES = 4 << 20
CONNECT_TIMEOUT_S = 20
LONGEST_PAUSE_S = 600
"""A server that asks for a longer one is left alone; the answers so far are kept."""
RATE_LIMIT_PATIENCE_S = 3600
"""How long one request waits out 429."""
FAILED_IN_A_ROW = 5
"""So many requests given up, and no answer between them: the teacher is gone."""
MOST_WEB_PAGES = 3
"""So many in place of answers, and no answer yet: the address is not the API's."""
WORKERS_A_PLACE = 4
"""For each request on its way, so many that are on their way or wait to be sent again."""
BACKOFF = tenacity.wait_exponential(multiplier=0.1, max=30) + tenacity.wait_random(0, 0.1)
SHOWN_CHARS = 200


class Fault(Exception):
    """A request that came to nothing, and may be sent again."""

    def __init__(self, what: str, again: bool = True, pause_s: float = 0.0, limited: bool = False, paid: bool = False):
        super().__init__(what)
        self.again, self.pause_s, self.limited = again, pause_s, limited
        self.paid = paid
        """Whether it may have been charged all the same."""


class Wire:
    """Does a teacher's work over HTTP."""

    def __init__(self, teacher: "Openai", work: Work):
        self.teacher, self.work, self.key = teacher, work, teacher.key()
        self.places: asyncio.LifoQueue[httpx.AsyncClient] = asyncio.LifoQueue()
        """A connection for each request that may be on its way; one pool of them all is slow where they are many."""
        self.spent, self.reserved, self.on_their_way = work.paid, 0.0, 0
        self.freed, self.stopped = asyncio.Event(), asyncio.Event()
        self.why: TinyReasonError | None = None
        self.reached = self.understood = False
        self.failed_in_a_row = self.web_pages = 0

    async def answer_all(self) -> None:
        """Has every request answered; raises what stopped it, once what was on its way has arrived."""
        requests = iter(self.work.requests)
        workers = min(len(self.work.requests), self.teacher.concurrency * WORKERS_A_PLACE)
        timeout, trusted = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S), httpx.create_ssl_context()
        async with AsyncExitStack() as connections:
            for _ in range(self.teacher.concurrency):
                client = httpx.AsyncClient(timeout=timeout, verify=trusted)
                self.places.put_nowait(await connections.enter_async_context(client))
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self.work_through(requests))
        if self.why:
            raise self.why

    async def work_through(self, requests: Iterator[Request]) -> None:
        """Works as one of several that take from the same requests."""
        for request in requests:
            most = self.teacher.most_it_can_cost(request)
            if not await self.may_cost(most):
                return
            try:
                answer = await self.ask(request, most)
                self.spent += (answer.cost or 0.0) + answer.possible_cost
                if answer.text is None and self.why:
                    return
                self.work.deliver(answer)
                self.failed_in_a_row = 0 if answer.text is not None else self.failed_in_a_row + 1
                if self.failed_in_a_row == FAILED_IN_A_ROW:
                    raise TeacherError(
                        f"{self.teacher.url} failed {FAILED_IN_A_ROW} requests in a row, last with: {answer.fault}; "
                        "the answers so far are kept: type the same line again to resume."
                    )
            except TinyReasonError as error:
                self.stop(error)
            finally:
                self.reserved -= most
                self.on_their_way -= 1
                self.freed.set()

    async def may_cost(self, most: float) -> bool:
        """Sets aside the most that a request can cost; waits for others to turn out cheaper; False = stop."""
        allowed = self.teacher.max_cost
        while self.why is None and allowed is not None and self.spent + self.reserved + most > allowed:
            if not self.on_their_way:
                self.stop(
                    CostLimit(f"the next request might exceed --max-cost {allowed:g} ({self.spent:.4g} is spent)")
                )
                break
            self.freed.clear()
            await self.freed.wait()
        if self.why:
            return False
        self.reserved += most
        self.on_their_way += 1
        return True

    def stop(self, why: TinyReasonError) -> None:
        """Keeps any further request from being sent."""
        self.why = self.why or why
        self.stopped.set()
        self.freed.set()

    async def ask(self, request: Request, most: float) -> Answer:
        """Returns the answer, after as many tries as it takes; `fault` says why there is none."""
        faults = broken = 0

        def give_up(state: tenacity.RetryCallState) -> bool:
            nonlocal faults, broken
            fault = state.outcome.exception()
            broken += fault.paid
            faults += not fault.limited
            return faults > self.teacher.retries or state.seconds_since_start > RATE_LIMIT_PATIENCE_S

        tries = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, Fault) and error.again),
            wait=lambda state: state.outcome.exception().pause_s or BACKOFF(state),
            stop=give_up,
            sleep=self.pause,
            reraise=True,
        )
        try:
            text, tokens_in, tokens_out = await tries(self.send, request)
        except Fault as fault:
            return Answer(request.id, None, possible_cost=most * broken, fault=str(fault))
        cost = most if tokens_in is None else self.teacher.cost(tokens_in, tokens_out)
        return Answer(request.id, text, tokens_in, tokens_out, cost, most * broken)

    async def pause(self, seconds: float) -> None:
        """Waits until it is time to send again, or there is nothing to send any more."""
        try:
            await asyncio.wait_for(self.stopped.wait(), seconds)
        except TimeoutError:
            return

    async def send(self, request: Request) -> tuple[str, int | None, int | None]:
        """Sends once; returns (text, tokens in, tokens out)."""
        url, body = self.teacher.url, self.teacher.body(request)
        headers = {"Authorization": f"Bearer {self.key}", "Accept-Encoding": "identity"}
        async with self.place() as http:
            if self.why:
                raise Fault("stopped before it was sent", again=False)
            status = None
            try:
                async with (
                    asyncio.timeout(self.teacher.timeout_s),
                    http.stream("POST", url, json=body, headers=headers) as response,
                ):
                    self.reached, status = True, response.status_code
                    text = await self.read(response)
            except TimeoutError:
                raise Fault(f"no answer within {self.teacher.timeout_s:g} s", paid=True) from None
            except httpx.RequestError as error:
                reason = self.hide(str(error) or type(error).__name__)
                if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) and not self.reached:
                    raise TeacherError(f"nothing answers at {url} ({reason}); check --base-url.") from None
                raise Fault(f"the connection was lost ({reason})", paid=status == 200) from None
        if status != 200:
            raise self.refusal(response, text)
        self.web_pages += response.headers.get("Content-Type", "").startswith("text/html")
        if self.web_pages == MOST_WEB_PAGES and not self.understood:
            raise TeacherError(f"{url} answers with web pages; check --base-url, it often ends in /v1.")
        content = _content(text)
        self.understood = True
        return content

    @asynccontextmanager
    async def place(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lends one of the connections, when one is free."""
        http = await self.places.get()
        try:
            yield http
        finally:
            self.places.put_nowait(http)

    async def read(self, response: httpx.Response) -> str:
        """Returns the body, but not more than a body can be."""
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > LARGEST_BODY_BYTES:
                raise Fault(f"a body of more than {LARGEST_BODY_BYTES >> 20} MiB", paid=response.status_code == 200)
        return self.hide(body.decode(errors="replace"))

    def hide(self, text: str) -> str:
        """Hides the key, which a server may repeat in what it says."""
        return text.replace(self.key, "[key]")

    def refusal(self, response: httpx.Response, text: str) -> Exception:
        """Returns what a status other than 200 means."""
        status, code, said = response.status_code, *_complaint(text)
        teacher, what = self.teacher, f"HTTP {status}{said and f' ({said})'}"
        if status in (401, 403):
            return TeacherError(f"{teacher.url} refuses the key in {teacher.key_variable} (HTTP {status}); check both.")
        if status == 404:
            return TeacherError(
                f"{teacher.url} has no such page or no model '{teacher.model}': {what}; check --base-url (it often "
                "ends in /v1) and --model."
            )
        if status < 400:
            return TeacherError(f"{teacher.url} answers with a redirection, {what}; give its target to --base-url.")
        if code == "insufficient_quota":
            return TeacherError(f"the account behind {teacher.key_variable} has no credit left: {what}.")
        if status not in (408, 409, 425, 429) and status < 500:
            return Fault(what, again=False)
        pause_s = _pause(response.headers.get("Retry-After", ""))
        if pause_s > LONGEST_PAUSE_S:
            return TeacherError(
                f"{teacher.url} asks for a pause of {pause_s / 60:.0f} minutes ({what}); the answers so far are kept: "
                "type the same line again then."
            )
        return Fault(what, pause_s=pause_s, limited=status == 429)


def _content(text: str) -> tuple[str, int | None, int | None]:
    """Returns (text, tokens in, tokens out) of a chat completion; tokens are None if the server does not count them."""
    try:
        body = json.loads(text)
        content = body["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Fault(f"a body that is not a chat completion: {text[:60]!r}", paid=True) from None
    if not isinstance(content, str | None):
        raise Fault("a chat completion whose content is not a text", paid=True)
    usage = body.get("usage")
    counts = [usage.get(name) if isinstance(usage, dict) else None for name in ("prompt_tokens", "completion_tokens")]
    if not all(type(count) is int and count >= 0 for count in counts):
        counts = [None, None]
    return content or "", *counts


def _complaint(text: str) -> tuple[Any, str]:
    """Returns (code, message) of an error's body, the message on one line."""
    try:
        error = json.loads(text)["error"]
        code, said = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, error)
    except (ValueError, LookupError, TypeError, RecursionError):
        return None, ""
    return code, " ".join(str(said or "").split())[:SHOWN_CHARS]


def _pause(retry_after: str) -> float:
    """Returns the seconds of a Retry-After header, a number or a date; 0 where it says nothing."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
