"""The whole story in one command: `ame demo`."""
