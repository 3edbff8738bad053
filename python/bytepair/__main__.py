"""``python -m bytepair``: the same as the command ``bytepair``."""

import sys

from bytepair.cli import main

sys.exit(main())
