"""Commands: one file each, which reads arguments, calls the package and writes."""
