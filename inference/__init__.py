"""Renders the prompt that training rendered, generates, and returns bubbles.

Knows nothing of Telegram or of training.
"""
