"""`python -m weightbridge`: the command line, where its script is not on the path."""

from weightbridge.cli import main

if __name__ == "__main__":
    main()
