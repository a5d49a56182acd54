"""Language models that grade answers, one file each."""
