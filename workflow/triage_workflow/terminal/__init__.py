"""What a run shows to people: one bar or plain lines, failures, a plan, and how it came out."""
