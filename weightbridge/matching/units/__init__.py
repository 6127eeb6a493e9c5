"""What is matched: units, the reduced graph that they make, and what a unit computes."""
