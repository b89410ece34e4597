"""What a run leaves behind for whoever must understand it later: records, logs, JUnit, the report."""
