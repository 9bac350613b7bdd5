"""What a run will take before its first step, and what this machine has."""
