"""``python -m monitor`` is ``recallwatch``."""

from monitor.cli import main

main()
