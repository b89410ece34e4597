"""What this machine offers: processors, memory, and whether it is one of CI."""
