"""Whether the nodes run the code that is on disk, and what to do where they do not."""
