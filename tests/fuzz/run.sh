#!/bin/sh
# Runs one fuzz target for some seconds: run.sh TARGET SECONDS. What it learns lies in target/fuzz/TARGET, and serves the next run; an
# input that is a finding is left there, too.
set -eu
cd "$(dirname "$0")/../.."
folder=target/fuzz/$1
mkdir -p "$folder/corpus"
echo "fuzz: $1 for $2 s" >&2
# -detect_leaks: there is no sanitizer to detect them. -timeout: seconds for one input, after which it counts as a hang.
FUZZ_TARGET=$1 FUZZ_CORPUS=$folder/corpus target/debug/fuzz "$folder/corpus" -max_total_time="$2" -max_len=16384 -timeout=30 \
	-rss_limit_mb=4096 -detect_leaks=0 -print_final_stats=1 -artifact_prefix="$folder/" -verbosity=0 >"$folder/log" 2>&1 || {
	tail -n 60 "$folder/log" >&2
	echo "fuzz: $1: the input is $folder/crash-* (or slow-, timeout-, oom-); once it is mended, keep it in tests/fuzz/findings" >&2
	exit 1
}
grep -E 'number_of_executed_units|average_exec_per_sec|peak_rss_mb|new_units_added' "$folder/log" >&2
