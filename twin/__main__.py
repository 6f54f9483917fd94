"""`python -m twin`: how the worker and the supervisor start children with the same interpreter."""

from twin.cli import main

if __name__ == "__main__":
    main()
