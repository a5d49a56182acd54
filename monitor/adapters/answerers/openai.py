"""Answerer behind OpenAI-compatible chat completions: a plain model, or a RAG service that retrieves by itself."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.adapters.openai.chat import Chat, ChatOptions
from monitor.errors import AnswererError
from monitor.model.answers import Answer


class OpenAIOptions(ChatOptions):
    """Model, server and prompts of the answerer."""

    system: str = ""
    """System message before each query; none by default."""
    contexts: str = "Answer from these texts alone, in as few words as possible.\n\n{contexts}\n\nQuestion: {query}"
    """User message with the texts of the retrieved documents, with the placeholders ``{contexts}`` and ``{query}``."""
    closed_book: bool = False
    """Whether to send the query alone: for a RAG service that retrieves by itself, or a model without retrieval. By
    default the texts of the hits are sent with it: those that the retriever returns, else those of the suite."""
    stream: bool = False
    """Whether to request a streamed response."""


class OpenAIAnswerer:
    """Requests answers from an OpenAI-compatible server."""

    Options = OpenAIOptions
    takes_contexts = True

    def __init__(self, options: OpenAIOptions) -> None:
        self.concurrency, self.needs_contexts = options.concurrency, not options.closed_book
        self._options = options
        self._chat = Chat(options, AnswererError)

    async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
        """Return the answer to a query; with ``contexts``, from these texts only."""
        system = [{"role": "system", "content": self._options.system}] if self._options.system else []
        messages = [*system, {"role": "user", "content": self._question(query, contexts)}]
        reply = await self._chat.complete(messages, stream=self._options.stream)
        return Answer(text=reply.text, model=reply.model, deployment=reply.fingerprint, tokens=reply.tokens)

    async def close(self) -> None:
        """Close the connections."""
        await self._chat.close()

    def _question(self, query: str, contexts: Sequence[str] | None) -> str:
        if contexts is None:
            return query
        # The parts are filled separately, so that a {query} within a context is not replaced.
        before, _, after = self._options.contexts.partition("{contexts}")
        return before.replace("{query}", query) + "\n\n".join(contexts) + after.replace("{query}", query)
