"""Everything that may be learned from, gathered from the database and freed of secrets.

Knows nothing of parts, cuts or snapshots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from training.editing import Change, edit
from training.examination import examine_all
from training.history import History
from training.recipes.sets import Sets
from training.reuse import Derived
from training.scrubbing import CLEAN, Finding, Verdict, verdict
from twin.conversations import split_by_silence
from twin.dialogs import Dialog, without_secrets
from twin.language import of_owner
from twin.messages import Peer, Session
from twin.privacy.blocklist import Blocklist
from twin.privacy.vault import Vault
from twin.sections import DatasetSettings
from twin.settings import Settings
from twin.store import Store

EXCLUDED, OF_LISTED_PERSON, USED = "excluded by you", "with somebody on your list", "used"

Texts = list[str]

_LOOK_BACK = 6
"""Messages before a run in which a question may stand that its first messages answer."""


@dataclass(slots=True)
class Gathered:
    """What is stored, with verdicts on all of it.

    Attributes:
        histories: the dialogs that count, largest first.
        sets: imported and made conversations, by weight, without what had to go.
        language: of the owner, ISO 639-1.
        dialogs: how many there are, by whether they count.
        messages: how many belong to dialogs that do not count, or were deleted, by reason.
        found: secrets, by label.
        lost_of_sets: turns of the owner in `sets` that are no turns any more, by reason.
    """

    histories: list[History]
    sets: list[Session]
    language: str
    dialogs: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    lost_of_sets: Counter[str] = field(default_factory=Counter)


Progress = Callable[[str, float], None]
"""Called with what is being done, and which share of the whole is done."""
Find = Callable[[History | Session, str, str], None]
"""Called with where a secret stands, its label and the secret itself."""


def gather(
    store: Store,
    settings: Settings,
    *,
    on_progress: Progress = lambda _what, _share: None,
    on_find: Find = lambda _where, _label, _value: None,
    workers: int | None = None,
) -> Gathered:
    """Read everything, look for secrets, judge every message, and renew the vault with the secrets that were found.

    Args:
        on_progress: called with shares up to 0.7.
        on_find: called for every secret, in order.
        workers: processes that look, by default one a core.

    Raises:
        DatasetError: a worker process died.
        StoreError: the vault cannot be read or written.
    """
    on_progress("Reading messages", 0.0)
    blocklist = Blocklist.of(settings.privacy.words, settings.privacy.people)
    gathered = load(store, settings, blocklist)
    sets = list(Sets(store.db).sessions())
    sources = [(history, *window) for history in gathered.histories for window in _windows(history)]
    windows: list[tuple[History | Session, Texts, Texts]] = [*sources, *((each, [], _texts_of(each)) for each in sets)]
    on_progress("Looking for secrets", 0.1)
    examined = examine_all(
        [[*before, *texts] for _, before, texts in windows],
        Derived(store.db, "scrub"),
        workers=workers,
        on_progress=lambda share: on_progress("Looking for secrets", 0.1 + 0.55 * share),
    )
    findings = [found[len(before) :] for (_, before, _), found in zip(windows, examined, strict=True)]
    with Vault.rebuild(settings.home) as vault:
        for (where, _, texts), found in zip(windows, findings, strict=True):
            for text, finding in zip(texts, found, strict=bool(found)):
                for span in finding.spans:
                    vault.add(span.label, text[span.start : span.end])
                    gathered.found[span.label] += 1
                    on_find(where, span.label, text[span.start : span.end])
    judge = _Judge(blocklist, settings.privacy.scrub)
    judged = iter(findings)
    for history in gathered.histories:
        for run in history.runs:
            if verdicts := judge.verdicts([message.text for message in run.raw], next(judged)):
                run.judge(verdicts)
    for session in sets:
        edited, lost = edit(session, judge.changes(session, next(judged)))
        gathered.lost_of_sets.update(lost)
        if edited is not None:
            gathered.sets.append(edited)
    return gathered


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


def _windows(history: History) -> Iterator[tuple[Texts, Texts]]:
    """Of each run what was said just before it, and its own texts: an answer may come after a long silence."""
    before: Texts = []
    for run in history.runs:
        texts = [message.text for message in run.raw]
        yield before, texts
        before = [*before, *texts][-_LOOK_BACK:]


def load(store: Store, settings: Settings, blocklist: Blocklist) -> Gathered:
    """The dialogs that count, in runs, and an account of the others; nothing is judged yet."""
    gathered = Gathered([], [], of_owner(store.db, settings))
    for dialog in store.dialogs():
        use = _use(dialog, blocklist)
        gathered.dialogs[use] += 1
        if use != USED:
            gathered.messages[f"in a dialog {use}"] += dialog.messages
            continue
        messages = store.messages(dialog.chat_id)
        present = [message for message in messages if message.deleted_at is None]
        gathered.messages["deleted"] += len(messages) - len(present)
        runs = split_by_silence(present, timedelta(minutes=settings.dataset.session_gap_minutes))
        gathered.histories.append(History.of(dialog.chat_id, runs, dialog.name, _peer(dialog, settings.dataset)))
    return gathered


def _use(dialog: Dialog, blocklist: Blocklist) -> str:
    if not dialog.is_included:
        return EXCLUDED
    return OF_LISTED_PERSON if blocklist.is_person(dialog.name, dialog.username) else USED


def _peer(dialog: Dialog, settings: DatasetSettings) -> Peer:
    """What a prompt will tell of them, and no more."""
    return Peer(
        without_secrets(dialog.name) if settings.peer == "name" else None,
        dialog.relation if settings.relation else None,
    )


def _texts_of(session: Session) -> Texts:
    return [bubble.text for turn in session.turns for bubble in turn.bubbles]
