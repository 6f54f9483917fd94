"""The tables of `twin dataset stats`.

Knows nothing of how the numbers come about, and prints no message text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.reasons import told
from training.snapshot import Account
from training.stats import DialogShare, Repetition, Stats, Style
from training.timing import DAYPARTS, pace
from twin.console import printable
from twin.language import UNKNOWN, name_of
from twin.timing import KINDS, Timing

_DIALOGS = 15
_LONGEST = 38
_KIND = {
    "question": "a question",
    "media": "a picture, a voice ...",
    "acknowledgement": "an ok, an emoji ...",
    "statement": "anything else",
}


def show(stats: Stats, account: Account, console: Console) -> None:
    """Print everything below the table of parts."""
    if account.turns:
        console.print(_became(account.turns))
    for line in _left_out(account):
        console.print(line)
    console.print(_dialogs(stats.dialogs))
    console.print(_languages(stats.languages))
    console.print(_style(stats.style))
    console.print(_habits(stats.style))
    console.print(_repetition(stats.repetition))
    if stats.timing is None:
        console.print("How fast you answer was not saved with this dataset: `twin dataset build` does it.")
    else:
        console.print(_pace(stats.timing))
        console.print(_answers(stats.timing))
    if account.found:
        console.print(_found(account.found))


def ordered(dialogs: tuple[DialogShare, ...], most: int) -> tuple[list[DialogShare], list[DialogShare]]:
    """The first ones and the rest; a rest of one is shown rather than summed up."""
    shown = most if len(dialogs) > most + 1 else len(dialogs)
    return list(dialogs[:shown]), list(dialogs[shown:])


def called(dialog: DialogShare, number: int) -> str:
    """How a dialog is called: by its name as it can be printed, else by its place in the list."""
    return printable(dialog.name).strip() if dialog.name and dialog.name.strip() else f"dialog {number}"


def by_share(languages: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The codes of `Stats.languages`, the most spoken by both sides first; what cannot be told last."""
    total: Counter[str] = Counter()
    for shares in languages.values():
        total.update(shares)
    return sorted(total, key=lambda code: (code == UNKNOWN, -total[code], code))


def duration(value: float | None) -> str:
    """A duration as people say it: "8 s", "3 min", "2.5 h"; "-" for nothing."""
    if value is None:
        return "-"
    if value < 100 and value != 60:
        return f"{value:.0f} s" if value >= 10 or value == int(value) else f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 5400 and value != 3600 else f"{round(value / 3600, 1):g} h"


def percent(part: float, whole: float = 1.0) -> str:
    """A share as a percentage; what is there but too little to show is not shown as nothing, nor nearly all as all."""
    share = part / whole if whole else 0.0
    if share in (0.0, 1.0) or 0.095 <= share <= 0.98:
        return f"{share:.0%}"
    return "<0.1%" if share < 0.001 else ">99.9%" if share > 0.999 else f"{share:.1%}"


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first, max_width=_LONGEST)  # the only one that gives way on a narrow terminal
    for other in others:
        table.add_column(other, justify="right", no_wrap=True)
    return table


def _became(turns: Mapping[str, Mapping[str, int]]) -> Table:
    table = _table("What became of your turns", "", *turns)
    totals = {
        reason: sum(counts.get(reason, 0) for counts in turns.values()) for part in turns.values() for reason in part
    }
    for reason in sorted(totals, key=lambda reason: (reason != "supervised", -totals[reason], reason)):
        table.add_row(told(reason), *(f"{counts.get(reason, 0):,}" for counts in turns.values()))
    return table


def _left_out(account: Account) -> Iterator[str]:
    for what, counts, kept in (("Messages", account.messages, "shown"), ("Dialogs", account.dialogs, "used")):
        if counts:
            left = sorted(((-count, reason) for reason, count in counts.items() if reason != kept and count))
            reasons = ", ".join(f"{reason} {-count:,}" for count, reason in left)
            yield f"{what}: {counts.get(kept, 0):,} {kept}; left out: {reasons or 'none'}."
    for name, mixed in account.sets.items():
        yield f"Mixed in from {printable(name)}: {mixed.supervised_turns:,} replies in {mixed.sessions:,} sessions."


def _dialogs(dialogs: tuple[DialogShare, ...]) -> Table:
    has_relations = any(dialog.relation for dialog in dialogs)
    table = _table("Dialogs", "dialog", *["relation"] * has_relations, "lang", "messages", "yours", "replies", "share")
    total = sum(dialog.replies for dialog in dialogs)
    first, rest = ordered(dialogs, _DIALOGS)
    for number, dialog in enumerate(first, start=1):
        relation = [_cut(printable(dialog.relation or "-"))] * has_relations
        table.add_row(_cut(called(dialog, number)), *relation, dialog.language or "-", *_counts([dialog], total))
    empty = [""] * (1 + has_relations)
    if rest:
        table.add_row(f"... and {len(rest):,} more", *empty, *_counts(rest, total))
    table.add_section()
    table.add_row("in all", *empty, *_counts(dialogs, total))
    return table


def _cut(name: str) -> Text:
    """On one line, and as it is: square brackets are no markup."""
    return Text(name, no_wrap=True, overflow="ellipsis")


def _counts(dialogs: list[DialogShare] | tuple[DialogShare, ...], total: int) -> list[str]:
    messages = sum(dialog.messages for dialog in dialogs)
    replies = sum(dialog.replies for dialog in dialogs)
    yours = sum(dialog.yours for dialog in dialogs)
    return [f"{messages:,}", percent(yours, messages), f"{replies:,}", percent(replies, total)]


def _languages(languages: Mapping[str, Mapping[str, float]]) -> Table:
    table = _table("Languages, share of messages", "language", "yours", "theirs")
    yours, theirs = languages["yours"], languages["theirs"]
    for code in by_share(languages):
        table.add_row(name_of(code), percent(yours.get(code, 0)), percent(theirs.get(code, 0)))
    return table


def _style(style: Style) -> Table:
    table = _table(f"How you write: {style.replies:,} replies", "", "mean", "median", "9 in 10 up to")
    for name, found in (
        ("characters per bubble", style.characters_per_bubble),
        ("bubbles per reply", style.bubbles_per_reply),
    ):
        table.add_row(name, f"{found.mean:.1f}", f"{found.median:g}", f"{found.p90:g}")
    return table


def _habits(style: Style) -> Table:
    table = _table(f"Of your {style.bubbles:,} bubbles", "", "share")
    for name, share in (
        ("have a question mark", style.questions),
        ("have an emoji", style.emoji),
        ("start in lower case", style.lower_case),
        ("end without a full stop", style.no_full_stop),
    ):
        table.add_row(name, percent(share))
    return table


def _repetition(repetition: Repetition) -> str:
    if not repetition.most:
        return "You never gave the same reply twice."
    times = ", ".join(f"{count:,}" for count in repetition.most)
    return (
        f"{percent(repetition.repeated)} of your replies occur more than once; {repetition.distinct:,} are different;"
        f" the most frequent occur {times} times."
    )


def _pace(timing: Timing) -> Table:
    found = pace(timing)
    table = _table("How fast you are", f"clock of {timing.timezone}", "median")
    table.add_row("between two bubbles", duration(found["median_gap"]))
    table.add_row("until you answer", duration(found["median_latency"]))
    for part, first, last in DAYPARTS:
        table.add_row(f"  {part}, {first} to {last} h", duration(found["median_latency_by_part"][part]))
    return table


def _answers(timing: Timing) -> Table:
    table = _table("How likely you do not answer", "", "turns", "no answer", "but within a day", "but an emoji")
    for kind in KINDS:
        if kind in timing.answers:
            chances = (timing.no_answer(kind), timing.comes_back(kind), timing.reaction(kind))
            table.add_row(_KIND[kind], f"{timing.answers[kind].turns:,}", *(percent(chance) for chance in chances))
    return table


def _found(found: Mapping[str, int]) -> Table:
    table = _table("Secrets found, never learned", "kind", "times")
    for label, count in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(label.lower().replace("_", " "), f"{count:,}")
    return table
