"""The configuration that ``recallwatch init`` writes, and its default path."""

from pathlib import Path

DEFAULT_CONFIG = Path("recallwatch.yaml")

STARTER = """\
# recallwatch configuration. `recallwatch check` checks it; `recallwatch schema` describes every key.

targets:
  production:
    retriever:
      kind: http
      url: @URL@
      # headers: {Authorization: "Bearer ${RETRIEVER_TOKEN}"}
      # The request body; {query} and {k} are filled in.
      request: {query: "{query}", k: "{k}"}
      # Where the response has the hits, as JMESPath.
      response: {hits: hits, id: id, score: score}
      timeout: 10s
      concurrency: 8

# Without storage.url an embedded PostgreSQL runs in this folder.
storage:
  data_dir: recallwatch-data

# Built-in suites. They need their own documents in the index of the target;
# a suite of your own is a folder in the BEIR layout: path: ./probes/my-suite
suites:
  broad: {path: "builtin:broad"}
  compositional: {path: "builtin:compositional"}

schedules:
  hourly:
    target: production
    suites: [broad, compositional]
    every: 1h

# notifiers:
#   on-call:
#     kind: webhook
#     url: https://example.org/hooks/recallwatch
#     secret: ${RECALLWATCH_WEBHOOK_SECRET}
"""
