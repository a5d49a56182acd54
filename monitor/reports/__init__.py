"""What people read of a run or a verdict."""
