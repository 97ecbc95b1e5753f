"""Untrusted bytes are decoded in a child process with no keys in its environment and, on Linux, no access."""
