"""Finds whether a file is on a network file system, where locks of SQLite may not work."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from service.doctor.finding import Finding

_MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORK: Final = re.compile(r"nfs|cifs|smb|9p|afs|ceph|lustre|gluster|fuse\.(?:sshfs|s3|rclone|gcsfuse|juicefs)")
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def sqlite_findings(file: Path, mounts: str | None = None) -> Iterator[Finding]:
    """Yield a finding if SQLite's *file* is on a network file system, by the *mounts* of Linux."""
    if mounts is None:
        mounts = _MOUNTS.read_text("utf-8", "replace") if _MOUNTS.exists() else ""
    kind = _kind(file.absolute(), mounts)
    if _NETWORK.match(kind):
        message = f"{file} is on a network file system ({kind}), where SQLite's locks may fail"
        yield Finding(None, "database", message, "use a local disk, or PostgreSQL or MariaDB")


def _kind(file: Path, mounts: str) -> str:
    """Return the type of the file system of *file*: of the innermost mount point, the newest if mounted twice."""
    found = [("", "")]
    for line in mounts.splitlines():
        # proc(5): id, parent, device, root, mount point, options, optional fields, "-", type, source, options
        fields, _, rest = line.partition(" - ")
        point = _ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), fields.split()[4])
        if file.is_relative_to(point) and len(point) >= len(found[-1][0]):
            found.append((point, rest.split()[0]))
    return found[-1][1]
