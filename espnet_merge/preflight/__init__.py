"""What will break a run, or spoil its results, found before it is started."""
