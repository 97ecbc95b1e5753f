"""`python -m vidcap_core` is the command `vidcap`."""

from .cli import main

if __name__ == "__main__":
    main()
