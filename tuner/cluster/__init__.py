"""Ray jobs: a search handed to a cluster's job server over HTTP, watched and stopped there."""
