"""From stored messages to a published adapter: dataset, QLoRA, evaluation, worker.

Knows nothing of Telegram.
"""
