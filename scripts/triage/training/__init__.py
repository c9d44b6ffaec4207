"""The training loop that all studies and stages share, and what it needs."""
