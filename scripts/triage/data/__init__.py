"""From raw files to checked images, tables and splits."""
