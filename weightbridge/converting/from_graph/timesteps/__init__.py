"""What is done for each step of a sequence: TimeDistributed."""
