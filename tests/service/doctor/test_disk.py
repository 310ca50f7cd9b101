"""What the doctor says about the folder of `data_dir`, on real file systems.

Red when a full disk or a readable database is not found, or when a good folder is warned of.
"""

from pathlib import Path
from typing import Any

import pytest
from tmpfs import tmpfs

from service.config.settings import validate
from service.doctor.disk import Space, check_disk, space_findings
from service.doctor.finding import Finding

GIB = 1024**3


async def told(folder: Path, **more: Any) -> list[str]:
    return [str(one) async for one in check_disk(validate({"data_dir": str(folder), **more}))]


async def test_a_good_folder_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    folder.mkdir(mode=0o700)
    [line] = await told(folder)
    assert line.startswith("good     data_dir: ")
    assert await told(tmp_path / "none") == []
    external = {"redis": {"url": "redis://h"}, "database": {"url": "postgresql://h/d"}, "secret_key": "k" * 32}
    assert await told(folder, **external) == [], "the folder is not used"


async def test_a_full_disk_is_a_failure(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", megabytes=64) as folder:
        folder.chmod(0o700)
        (folder / "file").write_bytes(b"x" * 1024 * 1024)
        [line] = await told(folder)
    assert line == (
        "failed   data_dir: only 63 MiB are free; when it is full, nothing can be written\n"
        "         remedy: make room, or move data_dir to a larger disk"
    )


async def test_a_file_system_without_room_for_files_is_warned_of(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "few", megabytes=256, inodes=500) as folder:
        folder.chmod(0o700)
        [line] = await told(folder)
    assert line.startswith("warning  data_dir: its file system can hold only 499 more files (inodes)")


@pytest.mark.parametrize(
    ("space", "ok"),
    [
        (Space(total=100 * GIB, free=GIB, files=None), True),
        (Space(total=100 * GIB, free=GIB - 1, files=None), None),
        (Space(total=5 * GIB, free=GIB // 2, files=None), True),
        (Space(total=5 * GIB, free=GIB // 2 - 1, files=None), None),
        (Space(total=100 * GIB, free=50 * GIB, files=1000), True),
        (Space(total=100 * GIB, free=50 * GIB, files=999), None),
        (Space(total=100 * GIB, free=100 * 1024**2 - 1, files=None), False),
    ],
    ids=["a gibibyte", "less", "a tenth", "less than a tenth", "files", "few files", "none"],
)
def test_little_space_is_a_warning_and_too_little_a_failure(space: Space, ok: bool | None) -> None:
    [found] = space_findings(space)
    assert found.ok is ok
    assert isinstance(found, Finding)


async def test_a_folder_that_other_users_may_enter_is_warned_of(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    folder.mkdir()
    folder.chmod(0o755)
    file = folder / "scanbind.sqlite3"
    file.touch(mode=0o600)
    assert (await told(folder))[1:] == [
        f"warning  data_dir: other users may enter the folder\n         remedy: run `chmod o-rwx {folder}`"
    ]
    folder.chmod(0o750)
    file.chmod(0o644)
    assert (await told(folder))[1:] == [
        f"warning  data_dir: other users may read scanbind.sqlite3\n         remedy: run `chmod 600 {file}`"
    ]
