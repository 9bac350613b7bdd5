"""A chat endpoint on loopback: it answers, delays, limits the rate, fails, cuts the line and talks nonsense."""

import json
import re
import socket
import struct
import threading
import time
from collections import Counter

from local_server import LocalServer, SilentHandler

FAULTS = ("500", "429", "cut", "cut in the middle", "malformed", "oversized", "wrong shape")


def criticise(body):
    """The verdict on the sandbox-like problem `a+b?` in the request, by the numbers in it."""
    text = body["messages"][-1]["content"]
    left, right, said = map(int, re.search(r"(\d+)\+(\d+).*boxed\{(\d+)\}", text, re.DOTALL).groups())
    verdict = "right" if left + right == said else "wrong"
    return f"{left}+{right} makes {left + right}, and the attempt says {said}.\nConclusion: {verdict}"


class Endpoint(LocalServer):
    """`with Endpoint() as server: server.url`."""

    def __init__(self, say=criticise, delay_s=0.0, fault=lambda number: None, places=10_000, usage=(100, 20)):
        super().__init__(Handler)
        self.say, self.delay_s, self.fault, self.usage = say, delay_s, fault, usage
        self.places = threading.Semaphore(places)
        self.number = self.now = self.most = 0
        self.answered = Counter()  # body → times that it was answered whole
        self.times = []
        self.keys = set()

    @property
    def url(self):
        return f"{super().url}/v1"


class Handler(SilentHandler):
    def do_POST(self):
        server = self.server
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        with server.lock:
            number = server.number
            server.number += 1
            server.now += 1
            server.most = max(server.most, server.now)
            server.times.append(time.monotonic())
            server.keys.add(self.headers["Authorization"])
        try:
            with server.places:
                time.sleep(server.delay_s)
            fault = server.fault(number)
            if fault:
                self.fail(fault)
            else:
                self.answer(server.say(json.loads(raw)), raw)
        finally:
            with server.lock:
                server.now -= 1

    def answer(self, text, raw):
        tokens_in, tokens_out = self.server.usage
        usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
        self.send(200, {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage})
        with self.server.lock:
            self.server.answered[raw] += 1

    def send(self, status, body, **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(raw), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()

    def fail(self, fault):
        if isinstance(fault, tuple):
            self.send(*fault[:2], **dict(fault[2:]))
        elif fault in ("500", "429"):
            more = {"Retry_After": "0.2"} if fault == "429" else {}
            self.send(int(fault), {"error": {"message": "not now"}}, **more)
        elif fault == "malformed":
            self.send(200, b'{"choices": [{"message": {"content": "Concl')
        elif fault == "wrong shape":
            self.send(200, {"choices": []})
        elif fault == "oversized":
            self.send(200, b'{"choices": "' + b"x" * (5 << 20) + b'"}')
        else:
            if fault == "cut in the middle":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
                self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
