"""The leaderboard: rows made from the log, Parquet written whole and read with a filter."""
