"""Which folders lie on a file system whose every write is an upload, as Google Drive in Colab."""

from pathlib import Path

MOUNTS = Path("/proc/mounts")
UPLOADING = ("fuse.", "davfs", "cifs", "smb3")
"""How the type of a file system begins where it sends what is written over a network to others."""
LOCAL = (
    "fuse.fuse-overlayfs",
    "fuse.overlayfs",
    "fuse.bindfs",
    "fuse.lxcfs",
    "fuse.ntfs",
    "fuse.exfat",
    "fuse.mergerfs",
)
"""Those that begin so and are on this machine."""
SYNCED = ("googledrive", "google drive", "onedrive", "dropbox")
"""How the name of a folder begins that a program keeps in step with a cloud."""
DRIVE = Path("/content/drive")
"""Where Colab mounts Google Drive."""


def uploading_file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Returns in words where what is written to a path is uploaded to, or None where it stays on this machine."""
    place = path.absolute()
    if place.is_relative_to(DRIVE):
        return "Google Drive"
    if synced := next((part for part in place.parts if part.lower().startswith(SYNCED)), None):
        return synced
    kind = file_system_type(place.resolve(), mounts)
    return f"a {kind} mount" if kind.startswith(UPLOADING) and not kind.startswith(LOCAL) else None


def file_system_type(place: Path, mounts: Path) -> str:
    """Returns the type of the file system that a path lies on, as `fuse.drive`; empty where the system tells none."""
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    found = [(line[1].replace("\\040", " "), line[2]) for line in lines if len(line) > 2]
    holding = [(len(point), number, kind) for number, (point, kind) in enumerate(found) if place.is_relative_to(point)]
    return max(holding, default=(0, 0, ""))[2]
