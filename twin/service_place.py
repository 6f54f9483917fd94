"""Whose twin a service runs, and where that one's folders are.

Knows nothing of systemd's language; it looks at users, folders and what an interpreter can import.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twin.errors import ServiceError
from twin.settings import cache_folder, default_home, given_places, hub_folder


@dataclass(frozen=True)
class Runner:
    """A user with a twin.

    Args:
        uid, gid: the user's.
        groups: further groups, as for GPUs.
        user_home: the user's home folder.
        home: the twin's.
        cache: of converted base models.
        hub: where Hugging Face's library keeps what it downloaded.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    user_home: Path
    home: Path
    cache: Path
    hub: Path

    def environment(self) -> Mapping[str, str]:
        """Variables of its service: places, all of which it can write to; and code comes from where it is installed."""
        return {
            "TWIN_HOME": str(self.home),
            "TWIN_CACHE": str(self.cache),
            "HF_HOME": str(self.hub),
            "MPLCONFIGDIR": str(self.cache / "matplotlib"),
            "CUDA_CACHE_PATH": str(self.cache / "cuda"),
            "TRITON_CACHE_DIR": str(self.cache / "triton"),
            "PYTHONSAFEPATH": "1",
        }

    def make_ready(self) -> None:
        """See that the twin can run as this user, and make the folders of its caches.

        Raises:
            ServiceError: there is no home, it is somebody else's, or the user cannot import twin.
        """
        self._check_home()
        self._check_interpreter()
        for folder in (self.cache, self.hub):
            self._make(folder)

    def _check_home(self) -> None:
        if not self.home.is_dir():
            raise ServiceError(f"There is no twin in {self.home}", "make one with `twin init`, or set TWIN_HOME to it")
        if self.home.stat().st_uid != self.uid:
            raise ServiceError(f"{self.home} belongs to somebody else", "run this as its owner, or with --as its owner")

    def _check_interpreter(self) -> None:
        """As this user and away from any checkout, as the service will."""
        switched = {"user": self.uid, "group": self.gid, "extra_groups": self.groups} if os.getuid() != self.uid else {}
        command = [sys.executable, "-P", "-c", "import twin"]
        try:
            is_there = not subprocess.run(command, cwd="/", capture_output=True, check=False, **switched).returncode  # type: ignore[call-overload]
        except PermissionError:
            is_there = False
        if not is_there:
            raise ServiceError(
                f"As the service will run it, {sys.executable} finds no twin",
                "install it with `pip install .` into an environment that this user may read",
            )

    def _make(self, folder: Path) -> None:
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        try:
            for path in reversed(missing):
                path.mkdir(mode=0o700)
                if os.getuid() != self.uid:
                    os.chown(path, self.uid, self.gid)
        except OSError as error:
            raise ServiceError(f"{folder} cannot be made ({error.strerror})", "set TWIN_CACHE elsewhere") from error


def runner_of() -> Runner:
    """Whoever runs this, with the places that their environment names."""
    return Runner(
        uid=os.getuid(),
        gid=os.getgid(),
        groups=tuple(os.getgroups()),
        user_home=Path.home(),
        home=default_home(),
        cache=cache_folder().absolute(),
        hub=hub_folder().absolute(),
    )


def runner_of_user(name: str) -> Runner:
    """Somebody else, with the places that this environment names, else the usual ones below their home folder.

    Raises:
        ServiceError: there is no such user, or it is root.
    """
    try:
        user = pwd.getpwnam(name)
    except KeyError as error:
        raise ServiceError(f"There is no user {name!r}", "make one: useradd --system --create-home NAME") from error
    if user.pw_uid == 0:
        raise ServiceError("A twin needs no root", "name an ordinary user with --as")
    user_home, given = Path(user.pw_dir), given_places()
    return Runner(
        uid=user.pw_uid,
        gid=user.pw_gid,
        groups=tuple(os.getgrouplist(name, user.pw_gid)),
        user_home=user_home,
        home=given.get("TWIN_HOME", user_home / ".local" / "share" / "twin"),
        cache=given.get("TWIN_CACHE", user_home / ".cache" / "twin"),
        hub=given.get("HF_HOME", user_home / ".cache" / "huggingface"),
    )
