"""Pure: run and judgements in, measurements out."""
