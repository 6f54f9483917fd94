"""Raw messages, one row each, into SQLite: never lossy, never twice.

Knows nothing of models or of the bot.
"""
