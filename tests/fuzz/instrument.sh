#!/bin/sh
# What cargo runs in the place of rustc for the packages of this workspace, when `make fuzz` builds: the code under test gets the
# counters that libFuzzer finds its way by, and stays quick. Dependencies are as in every other build, and built only once.
#
# These are flags of the stable compiler, as cargo-fuzz passes them. What it needs nightly for are the sanitizers, which look for
# faults that there is no `unsafe` for here.
set -eu
rustc=$1
shift
case " $* " in
*" --crate-name sandbar_"*)
	exec "$rustc" "$@" --cfg fuzzing -Copt-level=2 -Cdebug-assertions=on -Coverflow-checks=on -Cpasses=sancov-module \
		-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
		-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
	;;
*) exec "$rustc" "$@" ;;
esac
