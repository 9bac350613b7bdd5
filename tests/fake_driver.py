"""A stand-in for the NVIDIA driver: an `nvidia-smi` on the path that lists the cards a test wants."""

import os

MIB = {
    "GT 1030": ("NVIDIA GeForce GT 1030", 2048, "6.1"),
    "1080 Ti": ("NVIDIA GeForce GTX 1080 Ti", 11264, "6.1"),
    "2060": ("NVIDIA GeForce RTX 2060", 6144, "7.5"),
    "T4": ("Tesla T4", 15360, "7.5"),
    "3060": ("NVIDIA GeForce RTX 3060", 12288, "8.6"),
    "3090": ("NVIDIA GeForce RTX 3090", 24576, "8.6"),
    "M40": ("Tesla M40 24GB", 22945, "5.2"),
    "A100": ("NVIDIA A100-SXM4-80GB", 81920, "8.0"),
    "H100": ("NVIDIA H100 80GB HBM3", 81559, "9.0"),
}
"""A short word → the card's name, memory and compute capability, as nvidia-smi tells them."""


def uuid(number: int) -> str:
    """The UUID of the card that stands at this number in nvidia-smi's list."""
    return f"GPU-{number}0000000-0000-0000-0000-000000000000"


def line(number: int, word: str) -> str:
    """What nvidia-smi answers of one card."""
    name, mib, capability = MIB[word]
    return f"{uuid(number)}, {name}, {mib}, {capability}"


def install(folder, monkeypatch, *cards: str, exit_code: int = 0, listing: str = "") -> None:
    """Puts the tool on the path: for each card a word of `MIB` or a whole line; `listing` is its answer to -L."""
    lines = [line(number, card) if card in MIB else card for number, card in enumerate(cards)]
    (folder / "cards.csv").write_text("".join(f"{text}\n" for text in lines))
    (folder / "listing.txt").write_text(listing)
    program = folder / "nvidia-smi"
    program.write_text(
        f'#!/bin/sh\nfile={folder}/cards.csv\n[ "$1" = -L ] && file={folder}/listing.txt\n'
        f'while IFS= read -r line; do echo "$line"; done < $file\nexit {exit_code}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
