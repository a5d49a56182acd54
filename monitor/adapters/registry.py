"""Every adapter by port and name. They are named as text, so that naming one imports nothing."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from monitor.config.config import Section, validate
from monitor.errors import ConfigError

BUILT_IN: dict[str, dict[str, str]] = {
    "retriever": {
        "http": "monitor.adapters.retrievers.http.retriever:HttpRetriever",
        "local": "monitor.adapters.retrievers.local:LocalRetriever",
        "pgvector": "monitor.adapters.retrievers.pgvector:PgvectorRetriever",
        "chroma": "monitor.adapters.retrievers.chroma:ChromaRetriever",
        "milvus": "monitor.adapters.retrievers.milvus:MilvusRetriever",
        "lancedb": "monitor.adapters.retrievers.lancedb:LanceDbRetriever",
        "redis": "monitor.adapters.retrievers.redis:RedisRetriever",
        "qdrant": "monitor.adapters.retrievers.qdrant:QdrantRetriever",
        "opensearch": "monitor.adapters.retrievers.opensearch.retriever:OpenSearchRetriever",
        "weaviate": "monitor.adapters.retrievers.weaviate.retriever:WeaviateRetriever",
        "pinecone": "monitor.adapters.retrievers.pinecone:PineconeRetriever",
        "openapi": "monitor.adapters.retrievers.openapi.retriever:OpenApiRetriever",
        "callable": "monitor.adapters.retrievers.callable.retriever:CallableRetriever",
        "process": "monitor.adapters.retrievers.process.retriever:ProcessRetriever",
    },
    "embedder": {
        "local": "monitor.adapters.embedders.local:LocalEmbedder",
        "openai": "monitor.adapters.embedders.openai:OpenAIEmbedder",
        "http": "monitor.adapters.embedders.http:HttpEmbedder",
    },
    "answerer": {
        "http": "monitor.adapters.answerers.http:HttpAnswerer",
        "openai": "monitor.adapters.answerers.openai:OpenAIAnswerer",
    },
    "judge": {
        "openai": "monitor.adapters.judges.openai:OpenAIJudge",
        "similarity": "monitor.adapters.judges.similarity:SimilarityJudge",
    },
    "notifier": {
        "webhook": "monitor.adapters.notifiers.webhook:WebhookNotifier",
        "slack": "monitor.adapters.notifiers.slack:SlackNotifier",
        "pagerduty": "monitor.adapters.notifiers.pagerduty:PagerDutyNotifier",
        "alertmanager": "monitor.adapters.notifiers.alertmanager:AlertmanagerNotifier",
        "teams": "monitor.adapters.notifiers.teams:TeamsNotifier",
        "grafana_oncall": "monitor.adapters.notifiers.grafana_oncall:GrafanaOnCallNotifier",
        "email": "monitor.adapters.notifiers.email:EmailNotifier",
    },
}
"""Port to name to class. A class names its ``Options`` and takes an instance of them."""


@dataclass(frozen=True, slots=True)
class Part:
    """An adapter with its options checked, not yet built: nothing has been opened."""

    adapter: Any
    options: Section

    def build(self) -> Any:
        """The adapter, ready for use."""
        return self.adapter(self.options)


def resolve(port: str, stated: dict[str, Any], *, where: str) -> Part:
    """Find the adapter that ``kind`` names and check its options. Raises ConfigError naming the key."""
    kind = stated.get("kind")
    if kind is None:
        raise ConfigError(f"{where}.kind", f"is missing; known are {', '.join(known(port))}")
    adapter = find(port, str(kind), where=f"{where}.kind")
    options = {key: value for key, value in stated.items() if key != "kind"}
    return Part(adapter, validate(adapter.Options, options, where=where))


def known(port: str) -> list[str]:
    """Names of the adapters of a port: those built in, then those of installed plug-ins."""
    return [*BUILT_IN[port], *(entry.name for entry in entry_points(group=f"recallwatch.{port}"))]


def find(port: str, kind: str, *, where: str) -> Any:
    """The adapter's class."""
    path = BUILT_IN[port].get(kind)
    if path is None:
        for entry in entry_points(group=f"recallwatch.{port}"):
            if entry.name == kind:
                return entry.load()
        near = difflib.get_close_matches(kind, known(port), 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known(port))}"
        raise ConfigError(where, f"no {port} is called {kind}; {hint}")
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
