"""A live page's server in a thread of the test, and a run that grows under it."""

import asyncio
import contextlib
import http.client
import json
import os
import socket
import threading
import time
from urllib.parse import urlsplit

from synthetic_run import rollout

from tinyreason.reporting.watch import serve
from tinyreason.runs.heartbeat import Heartbeat
from tinyreason.runs.usage import started_at


def beat(folder, **more):
    mine = {"pid": os.getpid(), "host": socket.gethostname(), "started": started_at(os.getpid()), "time": time.time()}
    (folder / "heartbeat.json").write_text(Heartbeat(**(mine | more)).model_dump_json())


def add_step(folder, step, **row):
    with open(folder / "rollouts.jsonl", "a") as file:
        for number in range(4):
            file.write(json.dumps(rollout(step, 0, f"step {step}", number == 0)) + "\n")
    with open(folder / "metrics.jsonl", "a") as file:
        file.write(json.dumps({"step": step, "reward/mean": 0.5, "time/step_s": 2.0} | row) + "\n")


class Server:
    """A server in a thread, and how it is asked."""

    def __init__(self, folder):
        told, self.loop = threading.Event(), None

        def tell(address):
            self.address, self.loop = address, asyncio.get_running_loop()
            told.set()

        self.thread = threading.Thread(target=self.run, args=(folder, tell), daemon=True)
        self.thread.start()
        assert told.wait(20)
        parts = urlsplit(self.address)
        self.port, self.root = parts.port, parts.path

    def run(self, folder, tell):
        with contextlib.suppress(asyncio.CancelledError):
            serve(folder, 0, tell)

    def ask(self, path="", method="GET", root=None, **headers):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        words = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, (self.root if root is None else root) + path, headers=words)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read().decode()
        connection.close()
        return found

    def news(self, path="state", **known):
        status, _, body = self.ask(path + "?" + "&".join(f"{name}={value}" for name, value in known.items()))
        assert status == 200
        return json.loads(body)

    def stop(self):
        with contextlib.suppress(RuntimeError):  # the loop closes with its main task, whichever of them that is
            for task in asyncio.all_tasks(self.loop):
                self.loop.call_soon_threadsafe(task.cancel)
        self.thread.join(10)
