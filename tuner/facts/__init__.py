"""Facts that every room shares: errors, records, fields, rungs and provenance. Standard library only."""
