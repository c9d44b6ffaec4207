"""A plan for a new study: what a folder and a table show becomes settings with a reason each."""
