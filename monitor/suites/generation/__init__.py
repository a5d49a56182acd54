"""Generate suites from a corpus or sample queries from a log. No language model is needed."""
