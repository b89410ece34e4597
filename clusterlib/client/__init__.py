"""What a user's process does with clusters: plan, start, join and end them, and hold handles on them and their nodes."""
