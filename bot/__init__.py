"""The Telegram daemon: updates in, the twin's bubbles out.

Knows nothing of training or ingest; it reaches them only through the job queue and the store.
"""
