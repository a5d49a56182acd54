"""A RAG, or a bare model, behind the chat completions that OpenAI published and many servers speak."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.adapters.openai.chat import Chat, ChatOptions
from monitor.errors import AnswererError
from monitor.model.answers import Answer


class OpenAIOptions(ChatOptions):
    """Which model answers, where and how."""

    system: str = ""
    """Said before each query, as the system's message; nothing if left out."""
    contexts: str = "Answer from these texts alone, in as few words as possible.\n\n{contexts}\n\nQuestion: {query}"
    """What is said when the texts to answer from are given, for replaying."""
    stream: bool = False
    """Whether the answer is asked for in pieces."""


class OpenAIAnswerer:
    """Asks an OpenAI-compatible server for answers."""

    Options = OpenAIOptions
    takes_contexts = True

    def __init__(self, options: OpenAIOptions) -> None:
        self.concurrency = options.concurrency
        self._options = options
        self._chat = Chat(options, AnswererError)

    async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
        """The answer to a query, from these texts alone where they are given."""
        system = [{"role": "system", "content": self._options.system}] if self._options.system else []
        asked = [*system, {"role": "user", "content": self._question(query, contexts)}]
        said = await self._chat.say(asked, stream=self._options.stream)
        return Answer(said.text, model=said.model, deployment=said.fingerprint, tokens=said.tokens)

    async def close(self) -> None:
        """Give back the connections."""
        await self._chat.close()

    def _question(self, query: str, contexts: Sequence[str] | None) -> str:
        if contexts is None:
            return query
        # Each is put in by itself, so that no context is looked through for the other's placeholder.
        before, _, after = self._options.contexts.partition("{contexts}")
        return before.replace("{query}", query) + "\n\n".join(contexts) + after.replace("{query}", query)
