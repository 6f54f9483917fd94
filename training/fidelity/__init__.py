"""How much the twin sounds like the person: what is compared, the measures, and the report.

Knows nothing of how an adapter came to be.
"""
