"""Remembers what rewards, advantages and samplers know of a problem: JSON-able, one namespace a plug-in."""

from typing import Any


class Store:
    """Gets and puts by (plug-in, key); `state` is what a checkpoint saves."""

    def __init__(self, state: dict[str, dict[str, Any]] | None = None):
        self.state = state or {}

    def get(self, plugin: str, key: str, default: Any = None) -> Any:
        return self.state.get(plugin, {}).get(key, default)

    def put(self, plugin: str, key: str, value: Any) -> None:
        self.state.setdefault(plugin, {})[key] = value
