"""The soak: one worker lives through everything while all around it is killed, and stays small."""
