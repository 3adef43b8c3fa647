"""A bin at work: what follows a decision, what is wrong now, what may be changed meanwhile, how long it takes."""
