module tool/my-tool

go 1.26.0

toolchain go1.26.8

require sandbar v0.1.0

replace sandbar => ./sandbar
