module sandbar/tests/e2e/pause

go 1.26.0
