"""All adapters by port and name. Paths are strings, so that listing an adapter does not import it."""

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
"""Port → name → class. Each class has an ``Options`` model and takes an instance of it."""


@dataclass(frozen=True, slots=True)
class AdapterSpec:
    """An adapter class with its checked options; nothing is opened before `build`."""

    adapter: Any
    options: Section

    def build(self) -> Any:
        """Create the adapter."""
        return self.adapter(self.options)


def resolve(port: str, section: dict[str, Any], *, where: str) -> AdapterSpec:
    """Find the adapter of ``kind`` and check its options. Raises ConfigError with the key."""
    kind = section.get("kind")
    if kind is None:
        raise ConfigError(f"{where}.kind", f"is missing; known {port}s: {', '.join(names(port))}")
    adapter = find(port, str(kind), where=f"{where}.kind")
    options = {key: value for key, value in section.items() if key != "kind"}
    return AdapterSpec(adapter, validate(adapter.Options, options, where=where))


def names(port: str) -> list[str]:
    """Adapter names of a port: built-in adapters first, then installed plug-ins."""
    return [*BUILT_IN[port], *(entry.name for entry in entry_points(group=f"recallwatch.{port}"))]


def find(port: str, kind: str, *, where: str) -> Any:
    """Import the class of an adapter. Raises ConfigError for an unknown name."""
    path = BUILT_IN[port].get(kind)
    if path is None:
        for entry in entry_points(group=f"recallwatch.{port}"):
            if entry.name == kind:
                return entry.load()
        near = difflib.get_close_matches(kind, names(port), 1)
        hint = f"did you mean {near[0]}?" if near else f"known {port}s: {', '.join(names(port))}"
        raise ConfigError(where, f'unknown {port} "{kind}"; {hint}')
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
