"""Pictures of data and results. Each is one file; every number in them comes from a file too."""
