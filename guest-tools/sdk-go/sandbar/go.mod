module sandbar

go 1.26.0
