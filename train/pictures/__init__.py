"""What a network is shown: pictures and which look alike, changed as another bin would have made them, in batches."""
