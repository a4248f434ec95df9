#!/bin/sh
# Fuzzes decoders: run.sh BUILD_FOLDER SECONDS [target ...], target being the
# word in fuzz_<target>.c; none: all. Each is built by clang with libFuzzer,
# ASan and UBSan, starts from the seeds and from what earlier runs found, and
# ends with the share of its decoder's lines that were reached. A target that
# finds a fault leaves the input in BUILD_FOLDER and ends the run with 1.
#
# The comment at the top of a target says what it is built from, a line each:
#   needs: rpc base       what it links, the upper first; "daemon" is one too
#   covers: librpc/...    a file whose lines count
# Seeds are written by seeds_<library>.py FOLDER, into FOLDER/<target>/.
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
ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1
export ASAN_OPTIONS
for seeds in $here/seeds_*.py; do
    python3 -B "$seeds" "$build/seeds"
done

# The words after "name:" in the comment at the top of a target.
header() {
    sed -n "s/^ \* $2: //p" $here/fuzz_$1.c
}

# What a target is linked with, and what it may include: its libraries'
# src/ too, for a decoder is seldom public.
archives() {
    for library in $(header $1 needs); do
        case $library in
        daemon) echo "$build/lib/daemon.a" ;;
        *) echo "$build/lib/lib$library.a" ;;
        esac
    done
}

includes() {
    for library in $(header $1 needs); do
        case $library in
        daemon) echo "-Idaemon" ;;
        *) echo "-Ilib$library/include -Ilib$library/src" ;;
        esac
        echo "-I$build/gen/$library"
    done
}

build_target() {
    ${MAKE:-make} -s --no-print-directory CC=clang B="$build" OPT=-O1 \
        CFLAGS="-fsanitize=fuzzer-no-link $san $cov" $(archives $1) &&
        clang -std=c11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Werror \
            -fsanitize=fuzzer $san $cov $(includes $1) -I$here \
            -o "$build/fuzz_$1" $here/fuzz_$1.c $(archives $1) \
            -levent -levent_pthreads -levent_openssl -lz -lssl -lcrypto -lprotobuf-c -lsqlite3 \
            -lmsgpackc -ljansson -lresolv -lm -pthread
}

# No profile while it fuzzes: only the corpus is measured.
fuzz_target() {
    mkdir -p "$build/corpus/$1" "$build/seeds/$1"
    LLVM_PROFILE_FILE=/dev/null "$build/fuzz_$1" -max_total_time="$seconds" \
        -max_len=16384 -rss_limit_mb=4096 -timeout=20 -print_final_stats=1 \
        -artifact_prefix="$build/$1-" "$build/corpus/$1" "$build/seeds/$1" \
        >"$build/$1.log" 2>&1
}

lines_reached() {
    LLVM_PROFILE_FILE=$build/$1.profraw "$build/fuzz_$1" -runs=0 \
        "$build/corpus/$1" "$build/seeds/$1" >/dev/null 2>&1
    llvm-profdata merge -o "$build/$1.profdata" "$build/$1.profraw"
    llvm-cov report "$build/fuzz_$1" -instr-profile="$build/$1.profdata" \
        $(header $1 covers) 2>/dev/null | awk '$1 == "TOTAL" { print $10 }'
}

status=0
for target; do
    build_target $target
    fuzz_target $target || {
        echo "fuzz: $target FAILED, see $build/$target.log" >&2
        tail -n 30 "$build/$target.log" >&2
        status=1
        continue
    }
    runs=$(sed -n 's/stat::number_of_executed_units: *//p' "$build/$target.log")
    share=$(lines_reached $target)
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
