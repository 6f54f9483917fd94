"""The twin over HTTP: OpenAI's API, a web page, and numbers for whoever watches.

Knows nothing of engines: it asks a `Generator`.
"""
