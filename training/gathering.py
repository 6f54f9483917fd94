"""Everything that may be learned from, gathered from the database and freed of secrets.

Knows nothing of parts, cuts or snapshots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from training.editing import Change, edit
from training.examination import examine_all
from training.history import History, Run
from training.kept import Kept
from training.reading import USED, deleted, read, use_of
from training.recipes.sets import Sets
from training.reuse import Derived
from training.scrubbing import CLEAN, Finding, Verdict, verdict
from twin.dialogs import Dialog
from twin.messages import Session
from twin.privacy.blocklist import Blocklist
from twin.privacy.vault import Vault
from twin.settings import Settings
from twin.store import Store

Texts = list[str]
Progress = Callable[[str, float], None]
"""Called with what is being done, and which share of the whole is done."""
Find = Callable[[History | Session, str, str], None]
"""Called with where a secret stands, its label and the secret itself."""


@dataclass(slots=True)
class Gathered:
    """What is stored, with verdicts on all of it.

    Attributes:
        histories: the dialogs that count, largest first.
        sets: imported and made conversations, by weight, without what had to go.
        dialogs: how many there are, by whether they count.
        messages: how many belong to dialogs that do not count, or were deleted, by reason.
        found: secrets, by label; those of finished conversations too.
        lost_of_sets: turns of the owner in `sets` that are no turns any more, by reason.
    """

    histories: list[History] = field(default_factory=list)
    sets: list[Session] = field(default_factory=list)
    dialogs: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    lost_of_sets: Counter[str] = field(default_factory=Counter)


def counting(dialogs: Sequence[Dialog], settings: Settings) -> list[Dialog]:
    """The dialogs that count."""
    blocklist = Blocklist.of(settings.privacy.words, settings.privacy.people)
    return [dialog for dialog in dialogs if use_of(dialog, blocklist) == USED]


def gather(
    store: Store,
    settings: Settings,
    dialogs: Sequence[Dialog],
    kept: dict[int, Kept],
    *,
    on_progress: Progress = lambda _what, _share: None,
    on_find: Find = lambda _where, _label, _value: None,
    workers: int | None = None,
) -> Gathered:
    """Read everything, look for secrets, judge every message, and renew the vault with the secrets that were found.

    Args:
        dialogs: all there are.
        kept: finished conversations, which are not read.
        on_progress: called with shares up to 0.7.
        on_find: called for every secret in what is read, in order.
        workers: processes that look, by default one a core.

    Raises:
        DatasetError: a worker process died.
        StoreError: the vault cannot be read or written.
    """
    on_progress("Reading messages", 0.0)
    blocklist = Blocklist.of(settings.privacy.words, settings.privacy.people)
    gathered = _account(store, dialogs, blocklist)
    gathered.histories = read(store, counting(dialogs, settings), settings.dataset, kept)
    sets = list(Sets(store.db).sessions())
    on_progress("Looking for secrets", 0.1)
    runs = [(history, run) for history in gathered.histories for run in history.runs]
    own = [[message.text for message in run.raw] for _, run in runs]
    findings = examine_all(
        [*([*run.before, *texts] for (_, run), texts in zip(runs, own, strict=True)), *map(_texts_of, sets)],
        Derived(store.db, "scrub"),
        also_used={key for history in gathered.histories if history.kept is not None for key in history.kept.scrub},
        workers=workers,
        on_progress=lambda share: on_progress("Looking for secrets", 0.1 + 0.55 * share),
    )
    judge = _Judge(blocklist, settings.privacy.scrub)
    with Vault.rebuild(settings.home) as vault:
        for (history, run), texts, (key, with_before) in zip(runs, own, findings[: len(runs)], strict=True):
            run.key, found = key, with_before[len(run.before) :]
            _judge_run(run, texts, found, judge, vault)
            if not run.is_context:
                gathered.found.update(run.found)
                for label, value in _secrets(texts, found):
                    on_find(history, label, value)
        for session, (_, found) in zip(sets, findings[len(runs) :], strict=True):
            for label, value in _secrets(_texts_of(session), found):
                vault.add(label, value)
                gathered.found[label] += 1
                on_find(session, label, value)
            edited, lost = edit(session, judge.changes(session, found))
            gathered.lost_of_sets.update(lost)
            gathered.sets += [edited] if edited is not None else []
        for history in gathered.histories:
            for told in history.kept.told.values() if history.kept is not None else ():
                gathered.found.update(told.found)
                for label, entries in told.vault:
                    vault.put(label, entries)
    return gathered


def _account(store: Store, dialogs: Sequence[Dialog], blocklist: Blocklist) -> Gathered:
    """What there is, and how much of it does not count."""
    gathered = Gathered()
    gone = deleted(store)
    for dialog in dialogs:
        use = use_of(dialog, blocklist)
        gathered.dialogs[use] += 1
        if use == USED:
            gathered.messages["deleted"] += gone[dialog.chat_id]
        else:
            gathered.messages[f"in a dialog {use}"] += dialog.messages
    return gathered


def _judge_run(run: Run, texts: Texts, found: Sequence[Finding], judge: _Judge, vault: Vault) -> None:
    for label, value in _secrets(texts, found):
        entries = vault.entries_of(label, value)
        vault.put(label, entries)
        run.found[label] += 1
        run.vault.append((label, entries))
    if verdicts := judge.verdicts(texts, found):
        run.judge(verdicts)


def _secrets(texts: Texts, found: Sequence[Finding]) -> list[tuple[str, str]]:
    """Label and value of every secret in texts of which something was found."""
    return [
        (span.label, text[span.start : span.end])
        for text, finding in zip(texts, found, strict=bool(found))
        for span in finding.spans
    ]


@dataclass(frozen=True, slots=True)
class _Judge:
    """What the owner wants of texts in which something was found."""

    blocklist: Blocklist
    scrub: bool

    def verdicts(self, texts: Texts, found: Sequence[Finding]) -> list[Verdict]:
        """One a text; none where nothing was found, and nothing is listed."""
        if not found and not self.blocklist.has_entries:
            return []
        findings = found or [CLEAN] * len(texts)
        return [verdict(text, its, self.blocklist, scrub=self.scrub) for text, its in zip(texts, findings, strict=True)]

    def changes(self, session: Session, found: Sequence[Finding]) -> dict[tuple[int, int], Change]:
        """What becomes of the bubbles of a session in which something was found."""
        places = [(number, place) for number, turn in enumerate(session.turns) for place in range(len(turn.bubbles))]
        verdicts = self.verdicts(_texts_of(session), found)
        return {
            place: Change(judged.text, judged.gone or judged.withheld, judged.withheld)
            for place, judged in zip(places, verdicts, strict=bool(verdicts))
            if judged.withheld is not None
        }


def _texts_of(session: Session) -> Texts:
    return [bubble.text for turn in session.turns for bubble in turn.bubbles]
