"""The decoder decord for vidcap."""
