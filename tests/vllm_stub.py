"""A server that speaks vLLM's protocol on loopback, with the sandbox model behind it, so that its tokens are real.

What it takes and answers is as in vLLM's `entrypoints/openai` (0.10.2 to 0.19); nothing here is vLLM's own code.
"""

import json
from copy import deepcopy
from pathlib import Path

import torch
from local_server import LocalServer, SilentHandler

from tinyreason.adapters import with_adapter
from tinyreason.inference.engines.hf import HFEngine
from tinyreason.inference.engines.loop import roll_out
from tinyreason.inference.engines.server_check import log_probs_of
from tinyreason.inference.engines.tokens import TokenRule, uniforms_of

EXPLICIT = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
"""What vLLM takes from the model's generation_config.json where a request does not say it."""


class VllmStub(LocalServer):
    """`with VllmStub(model) as server: server.url`; the attributes say how it is started, and what it has seen."""

    def __init__(self, base, name="sandbox", root="", port=0):
        super().__init__(Handler, port)
        self.base, self.name, self.root = deepcopy(base).eval(), name, root or name
        self.takes_adapters = True
        self.largest_rank = 64
        self.processed = True
        self.key = ""
        self.max_model_len = 1024
        self.fault = lambda number: None
        """Number of a completion → what to fail it with: a status, "abort", "drop", or None."""
        self.adapters = {}
        self.loads, self.bodies, self.number = [], [], 0

    def load(self, name, path):
        config = json.loads(Path(path, "adapter_config.json").read_text())
        assert config["peft_type"] == "LORA" and not config["use_dora"]
        if config["r"] > self.largest_rank:
            raise ValueError(f"LoRA rank {config['r']} is greater than max_lora_rank {self.largest_rank}.")
        self.adapters[name] = (path, with_adapter(deepcopy(self.base), Path(path)).eval())
        self.loads.append(name)

    def complete(self, body):
        model = self.base if body["model"] == self.name else self.adapters[body["model"]][1]
        ends, limit = set(body["stop_token_ids"]), body["max_tokens"]
        uniforms = uniforms_of([body["seed"]], limit)
        rule, least = TokenRule(body["temperature"]), body["min_tokens"] + 1
        found = roll_out(HFEngine(model), [body["prompt"]], uniforms, rule, ends, least, keeps_values=True)
        ids, values = found.ids[0], found.log_probs[0]
        if not self.processed:
            values = log_probs_of(model, body["prompt"], ids, 1.0)
        told = {"tokens": [f"token_id:{token}" for token in ids], "token_logprobs": values}
        reason = "stop" if ids[-1] in ends else "length"
        return {"index": 0, "text": "", "token_ids": ids, "finish_reason": reason} | (
            {"logprobs": told} if body.get("logprobs") is not None else {"logprobs": None}
        )


class Handler(SilentHandler):
    def do_GET(self):
        it = self.server
        if it.key and self.headers.get("Authorization") != f"Bearer {it.key}":
            return self.send(401, {"error": "Unauthorized"})
        if self.path == "/version":
            return self.send(200, {"version": "0.19.0"})
        if self.path != "/v1/models":
            return self.send(404, {"detail": "Not Found"})
        cards = [{"id": it.name, "root": it.root, "parent": None, "max_model_len": it.max_model_len}]
        cards += [{"id": name, "root": path, "parent": it.name} for name, (path, _) in it.adapters.items()]
        return self.send(200, {"object": "list", "data": cards})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.key and self.headers.get("Authorization") != f"Bearer {self.server.key}":
            return self.send(401, {"error": "Unauthorized"})
        with self.server.lock:
            if self.path == "/v1/completions":
                return self.complete(body)
            if self.path.endswith("_lora_adapter") and self.server.takes_adapters:
                return self.change(body)
        return self.send(404, {"detail": "Not Found"})

    def change(self, body):
        it, name = self.server, body.get("lora_name")
        if self.path == "/v1/unload_lora_adapter":
            if name not in it.adapters:
                return self.complain(404, f"The lora adapter '{name}' cannot be found.")
            del it.adapters[name]
            return self.send(200, "Success")
        if not name or not body.get("lora_path"):
            return self.complain(400, "Both 'lora_name' and 'lora_path' must be provided.")
        if name in it.adapters:
            return self.complain(400, f"The lora adapter '{name}' has already been loaded.")
        if not Path(body["lora_path"]).is_dir():
            return self.complain(404, f"No adapter found for {body['lora_path']}")
        try:
            it.load(name, body["lora_path"])
        except ValueError as error:
            return self.complain(500, str(error))
        return self.send(200, f"Success: LoRA adapter '{name}' added successfully.")

    def complete(self, body):
        it = self.server
        number, it.number = it.number, it.number + 1
        it.bodies.append(body)
        fault = it.fault(number)
        if fault == "drop":
            self.close_connection = True
            return self.connection.close()
        if isinstance(fault, int):
            return self.complain(fault, "EngineCore encountered an issue.")
        if body["model"] != it.name and body["model"] not in it.adapters:
            return self.complain(404, f"The model `{body['model']}` does not exist.")
        if len(body["prompt"]) + body["max_tokens"] > it.max_model_len:
            return self.complain(400, f"This model's maximum context length is {it.max_model_len} tokens.")
        missing = [name for name in EXPLICIT if name not in body]
        assert not missing, f"left to the model's generation_config.json: {missing}"
        with torch.no_grad():
            choice = it.complete(body)
        if fault == "abort":
            choice["finish_reason"] = "abort"
        return self.send(200, {"object": "text_completion", "model": body["model"], "choices": [choice]})

    def complain(self, status, text):
        self.send(status, {"error": {"message": text, "type": "Error", "code": status}})

    def send(self, status, body):
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()
