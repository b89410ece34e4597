"""What serves distributed tests under pytest. Imported when a run has some, and by nothing else."""
