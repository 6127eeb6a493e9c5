"""advise: what the features at each cut of a model tell of labels, and how to train from there."""
