"""The evidence of a run, for understanding it later: records, logs, JUnit, the report."""
