"""What is found in texts, and what becomes of them: shown with placeholders, shown as they are, or left out.

Knows nothing of messages, dialogs or databases; texts come in as windows, lists of what was said in one conversation.

It fails closed: a text whose examination fails is left out under the reason "scrub failed", never passed through.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from training.reasons import BLOCKED, FAILED, SECRET
from twin.privacy import find_window, is_only_secret, is_service_text, replace
from twin.privacy.blocklist import Blocklist
from twin.privacy.spans import Span

Gone = Literal["only a secret", "private key", "seed phrase", "service text", "blocked", "scrub failed"]
_WHOLE: dict[str, Gone] = {"PRIVATE_KEY": "private key", "SEED": "seed phrase"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in one text.

    Attributes:
        spans: secrets, by place, not overlapping.
        gone: why the text is to be left out altogether; None when placeholders are enough.
    """

    spans: tuple[Span, ...] = ()
    gone: Gone | None = None


CLEAN = Finding()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one text.

    Attributes:
        text: as it may be shown; None when it is left out.
        gone: why it is left out; None when it is shown.
        withheld: why the owner must not be taught the turn it stands in; None when nothing was found.
    """

    text: str | None
    gone: Gone | None = None
    withheld: str | None = None


def examine(texts: Sequence[str]) -> list[Finding]:
    """One finding a text of a window, in order. Never raises for what a text holds."""
    try:
        return _examine(texts)
    except Exception:  # noqa: BLE001 - whatever a rule stumbles over, the text must not pass
        return _examine_around(texts)


def verdict(text: str, finding: Finding, blocklist: Blocklist, *, scrub: bool = True) -> Verdict:
    """What becomes of a text in which something was found, or nothing.

    Args:
        scrub: False leaves secrets where they are; the owner's blocklist counts all the same.
    """
    if blocklist.mentions(text):
        return Verdict(None, BLOCKED, BLOCKED)
    if not scrub or finding == CLEAN:
        return Verdict(text)
    if finding.gone is not None:
        return Verdict(None, finding.gone, FAILED if finding.gone == FAILED else SECRET)
    return Verdict(replace(text, finding.spans), None, SECRET)


def write_findings(findings: Sequence[Finding]) -> bytes:
    """A window's findings as JSON without a word of its texts; empty when nothing was found.

    Those of texts that could not be examined must not be kept: the next build tries again.
    """
    told = [
        [place, [[span.start, span.end, span.label] for span in finding.spans], finding.gone]
        for place, finding in enumerate(findings)
        if finding != CLEAN
    ]
    return json.dumps(told, separators=(",", ":")).encode() if told else b""


def read_findings(written: bytes, count: int) -> list[Finding]:
    """The inverse of `write_findings` for a window of `count` texts."""
    findings = [CLEAN] * count
    for place, spans, gone in json.loads(written) if written else ():
        findings[place] = Finding(tuple(Span(*span) for span in spans), gone)
    return findings


def _examine(texts: Sequence[str]) -> list[Finding]:
    found = find_window(texts)
    return [_finding(text, spans) for text, spans in zip(texts, found, strict=True)]


def _finding(text: str, spans: Iterable[Span]) -> Finding:
    spans = tuple(spans)
    if is_service_text(text):
        return Finding(spans, "service text")
    if not spans:
        return CLEAN
    for span in spans:
        if span.label in _WHOLE:
            return Finding(spans, _WHOLE[span.label])
    return Finding(spans, "only a secret" if is_only_secret(text, spans) else None)


def _examine_around(texts: Sequence[str]) -> list[Finding]:
    """Every text by itself, to learn which ones fail; then the others as a window once more."""
    failed = Finding((), FAILED)
    fine = [place for place, text in enumerate(texts) if _can_be_examined(text)]
    try:
        found = dict(zip(fine, _examine([texts[place] for place in fine]), strict=True))
    except Exception:  # noqa: BLE001 - they fail only together: none of them passes
        found = {}
    return [found.get(place, failed if text.strip() else CLEAN) for place, text in enumerate(texts)]


def _can_be_examined(text: str) -> bool:
    try:
        _examine([text])
    except Exception:  # noqa: BLE001 - see `examine`
        return False
    return True
