"""Where search, training and leaderboard meet: the trainable that Ray runs, and the runner of a search."""
