"""The search: samplers propose, schedulers judge, Ray Tune executes. Knows nothing of what is trained."""
