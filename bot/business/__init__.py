"""The owner's own chats (Telegram Business): suggestions, or answers, in the chats that the owner has with people.

Knows nothing of the bot's own chats beyond what it shares with them: bursts, history, limits, pace.
"""
