"""Recipes: conversations that come from elsewhere than chats, or are made, and are mixed into training by weight.

Knows nothing of tokens; of models only that an address or the base model answers.
"""
