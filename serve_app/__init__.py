"""What runs inside Ray Serve: the inference engine, the classifier and Grad-CAM."""
