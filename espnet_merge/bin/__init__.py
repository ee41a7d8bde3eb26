"""Commands: each file declares the options of one command, and calls the package."""
