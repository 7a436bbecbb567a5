"""`python -m graphc`: see `graphc.cli`."""

import sys

from graphc.cli import main

sys.exit(main())
