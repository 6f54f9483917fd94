"""The llama.cpp engine: a GGUF base model and adapters as GGUF, in this process.

Knows nothing of chats, prompts or who promotes.
"""
