"""Two engines, one state: what Snakemake and DVC each know, kept in agreement."""
