"""`python -m gyrus.cli`: the `gyrus` command."""

from gyrus.cli import main

if __name__ == "__main__":
    main()
