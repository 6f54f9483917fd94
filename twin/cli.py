"""The front door: every verb with one line, its room imported only when it is used.

Knows nothing of how a verb works. The only place that prints errors and sets exit codes.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from twin import __version__

# verb: (module, function, the line in --help)
VERBS: dict[str, tuple[str, str, str]] = {
    "init": ("twin.commands", "init", "Write a commented twin.toml."),
    "doctor": ("inference.doctor", "doctor", "Check this machine and say what to do."),
    "ingest": ("ingest.cli", "ingest", "Bring your private dialogs into the database."),
    "dataset": ("training.cli", "dataset", "Build and describe the training set."),
    "train": ("training.cli", "train", "Fine-tune an adapter on your replies."),
    "eval": ("training.cli", "evaluate", "Measure base and twin on held-out conversations."),
    "adapters": ("twin.commands", "adapters", "List, show, promote and roll back adapters."),
    "chat": ("inference.cli", "chat", "Talk to your twin in the terminal."),
    "reply": ("inference.cli", "reply", "Answer contexts given as JSON lines."),
    "worker": ("training.worker", "worker", "Run queued trainings, and queue them on schedule."),
    "jobs": ("twin.commands", "jobs", "Show the job queue."),
    "bot": ("bot.cli", "bot", "Answer in Telegram."),
    "up": ("twin.supervisor", "up", "Run worker and bot under one supervisor."),
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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, _, line) in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="twin")
@click.option("-v", "--verbose", is_flag=True, help="Log more, on stderr.")
def twin(verbose: bool) -> None:
    """A digital twin of how you text, made and kept on your own machine."""
    from twin.log import set_up_logging
    from twin.settings import secure_umask

    secure_umask()
    set_up_logging(verbose)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a TwinError becomes one sentence on stderr and exit code 2."""
    from twin.errors import TwinError

    try:
        code = twin.main(args=arguments, prog_name="twin", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TwinError as error:
        click.secho(f"twin: {error}", err=True, fg="red")
        sys.exit(2)
    except ImportError as error:
        sys.exit(_explain_import(error))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    sys.exit(code if isinstance(code, int) else 0)


def _explain_import(error: ImportError) -> int:
    if error.name and error.name.split(".")[0] in {
        "torch",
        "transformers",
        "peft",
        "bitsandbytes",
        "safetensors",
    }:
        click.secho(
            f"twin: This machine has no {error.name}: install twin with `pip install '.[ml]'` to train or serve.",
            err=True,
            fg="red",
        )
        return 2
    raise error
