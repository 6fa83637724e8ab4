"""`python -m tubelet` is `tubelet`."""

import sys

try:
    from tubelet.cli.main import main

    sys.exit(main())
except KeyboardInterrupt:
    # Also while the program itself is being read.
    sys.exit(130)
