"""The remote engine: a server elsewhere writes the texts (docs/scale.md).

Knows nothing of conversations, guards or promotions; `inference.remote.engine` is its door.
"""
