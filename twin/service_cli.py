"""The verb `install-service`: writes a systemd unit for a long-running verb, or takes it away again.

Knows nothing of what a unit says (twin/service_unit.py), and calls systemctl only when told to.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import platformdirs

from twin.errors import ServiceError
from twin.service_place import Runner, runner_of, runner_of_user
from twin.service_unit import DAEMONS, Unit, credential_file
from twin.settings import variables_left_behind

SYSTEM_UNITS = Path("/etc/systemd/system")


@click.command("install-service")
@click.option(
    "--user", "scope", flag_value="user", default="user", help="A unit of your own service manager (default)."
)
@click.option("--system", "scope", flag_value="system", help="A unit of the machine; root writes it.")
@click.option("--as", "run_as", metavar="USER", help="With --system: whose twin it is, and who it runs as.")
@click.option("--verb", type=click.Choice(list(DAEMONS)), default="up", show_default=True, help="What it runs.")
@click.option("--dry-run", is_flag=True, help="Show the unit, write nothing.")
@click.option("--remove", is_flag=True, help="Take the unit away again; the home stays as it is.")
@click.option("--now", is_flag=True, help="Run the systemctl commands too, which are only shown otherwise.")
def install_service(scope: str, run_as: str | None, verb: str, dry_run: bool, remove: bool, now: bool) -> None:
    """Let systemd run your twin: started at boot, restarted after a crash, shut in.

    Writes the unit and says what to run next. It may write to the twin's home and cache and nowhere else, and takes
    TWIN_HOME, TWIN_CACHE and HF_HOME from where you are now. Run it again after moving any of them, or the interpreter.
    """
    if (scope == "system") != (run_as is not None):
        raise click.UsageError("--system and --as USER go together")
    runner = runner_of_user(run_as) if run_as is not None else runner_of()
    unit = _unit(verb, runner, run_as)
    folder = SYSTEM_UNITS if run_as else platformdirs.user_config_path("systemd") / "user"
    if dry_run:
        click.echo(unit.text(), nl=False)
        return
    _check_systemd()
    if remove:
        _remove(folder / unit.name, run_as is not None, now)
    else:
        runner.make_ready()
        _write(folder / unit.name, unit.text())
        _tell_next(unit, now)


def _unit(verb: str, runner: Runner, run_as: str | None) -> Unit:
    return Unit(
        verb=verb,
        interpreter=Path(sys.executable),
        home=runner.home,
        user_home=runner.user_home,
        writable=[runner.cache, runner.hub],
        environment=runner.environment(),
        run_as=run_as,
        credentials=[name for name in DAEMONS[verb].credentials if run_as and _is_kept(name)],
        reads=[Path(sys.prefix), Path(sys.base_prefix), Path(__file__).resolve().parents[1]],
    )


def _is_kept(name: str) -> bool:
    """Whether root keeps this secret; nobody else may look."""
    try:
        return credential_file(name).exists()
    except PermissionError:
        return False


def _check_systemd() -> None:
    if shutil.which("systemctl") is None:
        raise ServiceError(
            "This machine has no systemd", "let `twin up --log-file PATH` run under what it has, or see docs/running.md"
        )


def _write(file: Path, text: str) -> None:
    """All of it or nothing; everybody may read a unit, which holds no secret."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o644)
        draft.replace(file)
    except OSError as error:
        remedy = "run it as root: sudo ..." if isinstance(error, PermissionError) else "make room for it"
        raise ServiceError(f"{file} cannot be written ({error.strerror})", remedy) from error
    finally:
        draft.unlink(missing_ok=True)
    click.echo(f"Wrote {file}.")


def _remove(file: Path, is_system: bool, now: bool) -> None:
    """Stop it before its file goes; systemd's own links to the file go with it."""
    control = _systemctl(is_system)
    if not file.exists():
        raise ServiceError(f"There is no {file}", "look for it with `systemctl list-unit-files 'twin*'`, or --user")
    if now:
        _run([*control, "disable", "--now", file.name])
    try:
        for link in (*file.parent.glob(f"*.wants/{file.name}"), file):
            link.unlink(missing_ok=True)
    except OSError as error:
        raise ServiceError(f"{file} cannot be removed ({error.strerror})", "run it as root: sudo ...") from error
    click.echo(f"Removed {file}.")
    _follow([[*control, "daemon-reload"]] if now else [[*control, "stop", file.name], [*control, "daemon-reload"]], now)


def _tell_next(unit: Unit, now: bool) -> None:
    is_system = unit.run_as is not None
    control = _systemctl(is_system)
    if left := variables_left_behind():
        click.echo(f"Not taken along, since a unit is no place for them: {', '.join(left)}. Put them into twin.toml.")
    if (
        "bot-token" in {*DAEMONS[unit.verb].credentials} - {*unit.credentials}
        and not (unit.home / "bot-token").exists()
    ):
        elsewhere = f"; or write it to {credential_file('bot-token')} and run this again" if is_system else ""
        click.echo(f"There is no bot token yet: `twin bot --set-token` keeps it in the home{elsewhere}.")
    _follow([[*control, "daemon-reload"], [*control, "enable", unit.name], [*control, "restart", unit.name]], now)
    journal = "journalctl" if is_system else "journalctl --user"
    lines = [f"  {journal} -u {unit.name} -f   shows what it says"]
    if not is_system:
        user = pwd.getpwuid(os.getuid()).pw_name
        lines.insert(0, f"  loginctl enable-linger {user}   lets it run while you are logged out, from boot on")
    click.echo("\n".join(lines))


def _follow(commands: list[list[str]], now: bool) -> None:
    """Run the commands, or show them."""
    if not now:
        click.echo("Next:")
    for command in commands:
        if now:
            _run(command)
        else:
            click.echo(f"  {shlex.join(command)}")


def _systemctl(is_system: bool) -> list[str]:
    return ["systemctl"] if is_system else ["systemctl", "--user"]


def _run(command: list[str]) -> None:
    """Its own words go where ours go.

    Raises:
        ServiceError: it failed.
    """
    if code := subprocess.run(command, check=False).returncode:
        raise ServiceError(
            f"`{shlex.join(command)}` failed (exit code {code})", "see its words above, and run it again"
        )
