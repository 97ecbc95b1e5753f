"""Untrusted bytes are decoded in a child process that has no keys, no files and no network."""
