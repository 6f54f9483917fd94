"""`python -m twin`: how the worker and the supervisor start children with the same interpreter.

Knows nothing but the front door.
"""

from twin.cli import main

if __name__ == "__main__":
    main()
