"""`python -m gyrus.cli`: the `gyrus` command."""

import sys

from gyrus.cli import main

if __name__ == "__main__":
    sys.exit(main())
