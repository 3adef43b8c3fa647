"""What belongs to one bin: the site file and the steps that write it."""
