"""The compiled programs of a run, what feeds them, and where arrays live."""
