"""Live RAGs that answer, one file each."""
