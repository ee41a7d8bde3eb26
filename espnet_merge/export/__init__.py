"""Models for other runtimes: a format a file, each checked in its own runtime."""
