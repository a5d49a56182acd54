"""The nouns: frozen dataclasses that import nothing that does I/O."""
