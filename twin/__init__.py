"""The core of `twin`: messages, conversations, prompts, storage and the adapter's life.

Knows no torch, no Telegram client and no HTTP.
"""

__version__ = "0.1.0"
