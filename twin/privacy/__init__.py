"""What nobody should learn by heart: secrets in messages, found, replaced, and shown without being given away.

Knows nothing of storage, training or chats: text goes in, spans come out.
"""

from twin.privacy.detect import DETECTORS_VERSION, find
from twin.privacy.masking import masked
from twin.privacy.remains import is_only_secret, is_service_text
from twin.privacy.spans import LABELS, Label, Span, replace
from twin.privacy.windows import find_window

__all__ = [
    "DETECTORS_VERSION",
    "LABELS",
    "Label",
    "Span",
    "find",
    "find_window",
    "is_only_secret",
    "is_service_text",
    "masked",
    "replace",
]
