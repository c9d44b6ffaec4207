"""One page that tells what was asked, on what data, what came out, and how it was made."""
