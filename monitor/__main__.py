"""``python -m monitor`` is ``recallwatch``."""

from monitor.cli.main import main

main()
