#!/bin/sh
# Fuzzes decoders: run.sh BUILD_FOLDER SECONDS [target ...], target being the
# word in fuzz_<target>.c; none: all. Each is built by clang with libFuzzer,
# ASan and UBSan, starts from the seeds and from what earlier runs found, and
# ends with the share of its decoder's lines that were reached. A target that
# finds a fault leaves the input in BUILD_FOLDER and ends the run with 1.
set -e
build=$1
seconds=$2
shift 2
here=tests/fuzz
[ $# -gt 0 ] || set -- $(ls $here/fuzz_*.c | sed 's/.*fuzz_\(.*\)\.c/\1/')
for tool in clang llvm-profdata llvm-cov; do
    command -v $tool >/dev/null || {
        echo "fuzz: needs clang and llvm (apt-get install clang llvm)" >&2
        exit 1
    }
done
san="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
cov="-fprofile-instr-generate -fcoverage-mapping"
libs="$build/lib/libgossip.a $build/lib/libbase.a"
${MAKE:-make} --no-print-directory CC=clang B="$build" OPT=-O1 \
    CFLAGS="-fsanitize=fuzzer-no-link $san $cov" $libs
python3 $here/seeds.py "$build/seeds"
ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1
export ASAN_OPTIONS
status=0
for target; do
    binary=$build/fuzz_$target
    corpus=$build/corpus/$target
    mkdir -p "$corpus" "$build/seeds/$target"
    clang -std=c11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Werror \
        -fsanitize=fuzzer $san $cov -Ilibbase/include -Ilibgossip/include \
        -Ilibgossip/src -I$here -o "$binary" $here/fuzz_$target.c $libs \
        -levent -levent_pthreads -lcrypto -lmsgpackc -lprotobuf-c -ljansson \
        -lresolv -lm -pthread
    # No profile while it fuzzes: only the corpus is measured.
    LLVM_PROFILE_FILE=/dev/null "$binary" -max_total_time="$seconds" \
        -max_len=16384 -rss_limit_mb=4096 -timeout=20 -print_final_stats=1 \
        -artifact_prefix="$build/$target-" "$corpus" "$build/seeds/$target" \
        >"$build/$target.log" 2>&1 || {
        echo "fuzz: $target FAILED, see $build/$target.log" >&2
        tail -n 30 "$build/$target.log" >&2
        status=1
        continue
    }
    LLVM_PROFILE_FILE=$build/$target.profraw "$binary" -runs=0 \
        "$corpus" "$build/seeds/$target" >/dev/null 2>&1
    llvm-profdata merge -o "$build/$target.profdata" "$build/$target.profraw"
    files=$(sed -n 's/^ \* covers: //p' $here/fuzz_$target.c)
    runs=$(sed -n 's/stat::number_of_executed_units: *//p' "$build/$target.log")
    share=$(llvm-cov report "$binary" -instr-profile="$build/$target.profdata" \
        $files 2>/dev/null | awk '$1 == "TOTAL" { print $10 }')
    echo "fuzz: $target: ${seconds}s, $runs inputs, no fault, lines reached: $share"
    case $share in
    9[0-9].* | 100.*) ;;
    *)
        echo "fuzz: $target reaches less than 90 % of its decoder's lines" >&2
        status=1
        ;;
    esac
done
exit $status
