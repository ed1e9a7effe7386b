"""`python -m app.cli`: the command where its script is not installed."""

import sys

from app.cli.main import main

sys.exit(main())
