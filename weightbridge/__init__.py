"""weightbridge: move pre-trained weights into the model you have, and prove that they arrived."""
