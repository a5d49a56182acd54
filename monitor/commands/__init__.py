"""The commands: how they are called, what they do, how they show it."""
