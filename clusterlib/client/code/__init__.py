"""Whether the nodes run the code that is on disk, and how to update them."""
