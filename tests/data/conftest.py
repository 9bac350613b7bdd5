import json
from pathlib import Path

import pytest


@pytest.fixture
def jsonl(tmp_path):
    """Writes rows, one JSON object per line, and returns the path."""

    def write(*rows: dict, name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def published():
    """The path of a published file beside the checkout; skips where there is none."""

    def find(name: str) -> Path:
        path = Path(__file__).resolve().parents[3] / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"the published file {name} is not beside this checkout")
        return path

    return find
