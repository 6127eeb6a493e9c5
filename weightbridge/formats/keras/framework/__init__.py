"""What needs Keras itself: live models, loading, running, cutting and joining."""
