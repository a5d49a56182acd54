"""Pure: judgements by passage, which survive re-chunking."""
