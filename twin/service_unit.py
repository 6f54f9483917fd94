"""A systemd unit for one of the long-running verbs: its text, hardened as far as the verb's work allows.

Knows nothing of files, users or systemctl: everything comes in as arguments, and the same arguments give the same text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from twin.errors import ServiceError
from twin.supervisor import GRACE_SECONDS, NEEDS_A_PERSON


@dataclass(frozen=True)
class Daemon:
    """What systemd must know of a verb.

    Args:
        does: completes "twin: ..." in lists of services.
        stop_seconds: how long it may take to end; then it is killed, which it survives, but a training begins anew.
        starts_children: whether its memory is mostly that of children, of which the kernel may kill one.
        supervises: whether it starts again by itself what crashes, so that its own crashes mean something worse.
        credentials: the secrets it reads (`twin.settings.secret`).
    """

    does: str
    stop_seconds: int
    credentials: tuple[str, ...]
    starts_children: bool = False
    supervises: bool = False


_STOP = int(GRACE_SECONDS) + 5  # beyond what supervisor and worker grant a training, so that the job is put back
DAEMONS: Mapping[str, Daemon] = {
    "up": Daemon("worker and bot", _STOP, ("bot-token", "database-key", "remote-key"), True, True),
    "bot": Daemon("answers in Telegram", 15, ("bot-token", "database-key", "remote-key")),
    "worker": Daemon("runs trainings", _STOP, ("database-key",), True),
    "serve": Daemon("answers over HTTP", 15, ("server-key", "database-key", "remote-key")),
}

CREDENTIALS = Path("/etc/credstore")
_HIDDEN_BY_PROTECT_HOME = ("/home", "/root", "/run/user")
_HIDDEN_BY_PRIVATE_TMP = ("/tmp", "/var/tmp")
# Where it must see the home folder, for the interpreter lies in it or the twin does, these stay out of sight.
_NOT_OURS = (".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".mozilla", ".password-store", ".config/gcloud")

# No MemoryDenyWriteExecute: oneDNN, which multiplies for torch on CPUs, writes machine code as it goes ("could not
# create a primitive" without). No PrivateDevices: it hides GPUs. No ProcSubset=pid: it hides how much memory there is.
_ALWAYS = (
    "UMask=0077",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "PrivateMounts=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RestrictNamespaces=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged",
    "SystemCallErrorNumber=EPERM",
)
# Beyond a user's own service manager: where it may make no namespaces these keep it from starting (218/CAPABILITIES).
_SYSTEM_ONLY = (
    "CapabilityBoundingSet=",
    "PrivateUsers=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectClock=yes",
    "ProtectProc=invisible",
    "DevicePolicy=closed",
    "DeviceAllow=char-nvidia* rw",
    "DeviceAllow=char-drm rw",
    "DeviceAllow=char-kfd rw",
)


def credential_file(name: str) -> Path:
    """Where root keeps a secret of units of the system; systemd copies it to where the service alone can read it."""
    return CREDENTIALS / f"twin.{name}"


@dataclass(frozen=True)
class Unit:
    """One service.

    Args:
        verb: a key of DAEMONS.
        interpreter: the Python that has twin, absolute and not resolved: a virtual environment is known by its link.
        home: the twin's home, which is also the working directory.
        writable: the other folders that it may write to; those that are missing are left out when it starts.
        user_home: the home folder of whoever it runs as.
        environment: variables by name.
        run_as: the user's name for a unit of the system; None for a unit of the user's own service manager.
        reads: further folders that it needs to read: the interpreter's own, the package's.
        credentials: which of the daemon's secrets come from CREDENTIALS rather than from its home; systemd refuses to
            start a service that names a file which is missing.
    """

    verb: str
    interpreter: Path
    home: Path
    user_home: Path
    writable: Sequence[Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    run_as: str | None = None
    reads: Sequence[Path] = ()
    credentials: Sequence[str] = ()

    @property
    def name(self) -> str:
        """What systemctl calls it."""
        return "twin.service" if self.verb == "up" else f"twin-{self.verb}.service"

    def text(self) -> str:
        """The unit file.

        Raises:
            ServiceError: a path cannot be written in one.
        """
        daemon = DAEMONS[self.verb]
        lines = [
            "# Written by `twin install-service`, which overwrites it; changes of yours belong into a drop-in"
            f" (`systemctl {'edit' if self.run_as else '--user edit'} {self.name}`).",
            "[Unit]",
            f"Description=twin: {daemon.does}",
            *(["Wants=network-online.target", "After=network-online.target"] if self.run_as else []),
            *_start_limit(daemon),
            "",
            "[Service]",
            *([f"User={self.run_as}"] if self.run_as else []),
            "Type=exec",
            f"ExecStart={_quoted(str(self.interpreter))} -m twin {self.verb}",
            f"WorkingDirectory={_plain(self.home)}",
            *(f"Environment={_quoted(f'{name}={value}')}" for name, value in self.environment.items()),
            *(f"LoadCredential={name}:{credential_file(name)}" for name in self.credentials),
            *_life(daemon),
            "",
            *_ALWAYS,
            *(_SYSTEM_ONLY if self.run_as else ()),
            *self._places(),
            "",
            "[Install]",
            f"WantedBy={'multi-user.target' if self.run_as else 'default.target'}",
        ]
        return "\n".join(lines) + "\n"

    def _places(self) -> list[str]:
        """Which folders it sees, and which of them it may write to."""
        needed = [self.interpreter, self.home, *self.writable, *self.reads]
        is_apart = not _lie_within(needed, _HIDDEN_BY_PROTECT_HOME)
        hidden = [] if is_apart else [self.user_home / name for name in _NOT_OURS]
        return [
            f"PrivateTmp={'no' if _lie_within(needed, _HIDDEN_BY_PRIVATE_TMP) else 'yes'}",
            f"ProtectHome={'yes' if is_apart else 'read-only'}",
            f"ReadWritePaths={_quoted(str(self.home))}",
            *(f"ReadWritePaths=-{_quoted(str(path))}" for path in self.writable),
            *(f"InaccessiblePaths=-{_quoted(str(path))}" for path in hidden),
        ]


def _lie_within(paths: Sequence[Path], folders: Sequence[str]) -> bool:
    return any(path.is_relative_to(folder) for path in paths for folder in folders)


def _start_limit(daemon: Daemon) -> list[str]:
    """A supervisor crashes only if something is badly wrong; the others may wait hours for memory (exit code 1)."""
    return ["StartLimitIntervalSec=600", "StartLimitBurst=5"] if daemon.supervises else ["StartLimitIntervalSec=0"]


def _life(daemon: Daemon) -> list[str]:
    """When it is started again, how it is stopped, and what becomes of it when memory runs out."""
    return [
        "Restart=on-failure",
        f"RestartSec={10 if daemon.supervises else 60}",
        f"RestartPreventExitStatus={NEEDS_A_PERSON}",
        "KillMode=mixed",
        f"TimeoutStopSec={daemon.stop_seconds}",
        f"OOMPolicy={'continue' if daemon.starts_children else 'stop'}",
    ]


def _plain(path: Path) -> str:
    """A path that is the rest of its line."""
    return _printable(str(path)).replace("%", "%%")


def _quoted(word: str) -> str:
    """One word of a line (systemd.syntax(7), "Quoting"); specifiers mean themselves."""
    return '"' + _printable(word).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def _printable(text: str) -> str:
    if not text.isprintable() or "$" in text:
        raise ServiceError(f"systemd cannot be told of a path such as {text!r}", "move it to one of plain characters")
    return text
