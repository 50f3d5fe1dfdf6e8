#!/usr/bin/env bash
# Fuzzes each target, or the one named, for so many seconds, two at a time, beginning with the committed inputs:
#   tests/fuzz/run.sh SECONDS [TARGET]
# What is found on the way stays in target/found, from where the next run goes on. See packaging/docs/fuzzing.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

version=0.13.2
seconds=${1:?usage: tests/fuzz/run.sh SECONDS [TARGET]}
mapfile -t targets < <(sed -n 's|^path = "targets/\(.*\)\.rs"$|\1|p' Cargo.toml)
if [[ -n ${2:-} ]]; then
    if [[ ! -f targets/$2.rs ]]; then
        echo "there is no target $2; there are: ${targets[*]}" >&2
        exit 2
    fi
    targets=("$2")
fi

# All code of ours is safe Rust, so that a sanitizer would find nothing and cost half of the speed: `-s none`. That also
# works without a nightly toolchain; the variable is for what cargo-fuzz may want of one.
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$PWD/target PATH=$PWD/target/tools/bin:$PATH
if [[ $(cargo fuzz --version 2>/dev/null) != "cargo-fuzz $version" ]]; then
    # It only starts cargo: built without optimisation.
    RUSTC_BOOTSTRAP=0 CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=false \
        cargo install --quiet --locked --root target/tools cargo-fuzz@"$version"
fi
cargo fuzz build --fuzz-dir . --dev --strip-dead-code -s none ${2:+"$2"}
programs=$(dirname "$(find target/*/debug -maxdepth 1 -name "${targets[0]}" -type f | head -n 1)")

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
mkdir -p artifacts

# The last figure that libFuzzer gave of that name.
figure() { grep -a -o "$2 *[0-9]*" "$1" | tail -n 1 | grep -o '[0-9]*$' || echo 0; }

fuzz() {
    local target=$1 log=$logs/$1 status=0
    mkdir -p "target/found/$target" "corpus/$target"
    # An input that takes 10 s hangs; the whole may take a minute more than it was told to.
    timeout $((seconds + 60)) "$programs/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -dict=tokens.dict -print_final_stats=1 -artifact_prefix="artifacts/$target-" \
        "target/found/$target" "corpus/$target" >"$log" 2>&1 </dev/null || status=$?
    printf '%-14s %-7s %12s %9s %9s %9s\n' "$target" "$( ((status == 0)) && echo ok || echo FAILED)" \
        "$(figure "$log" 'stat::number_of_executed_units:')" "$(figure "$log" 'stat::average_exec_per_sec:')" \
        "$(figure "$log" 'cov:')" "$(figure "$log" 'ft:')"
    echo "$status" >"$log.status"
}

printf '%-14s %-7s %12s %9s %9s %9s\n' target result executions 'per s' edges features
for target in "${targets[@]}"; do
    while (($(jobs -rp | wc -l) >= 2)); do wait -n || true; done
    fuzz "$target" &
done
wait

failed=0
for target in "${targets[@]}"; do
    [[ $(cat "$logs/$target.status" 2>/dev/null) != 0 ]] || continue
    failed=$((failed + 1))
    printf '\n=== %s failed\n' "$target"
    grep -a -A 8 -E 'panicked at|ERROR: libFuzzer' "$logs/$target" | head -n 40 || tail -n 20 "$logs/$target"
    input=$(sed -n 's/.*Test unit written to //p' "$logs/$target" | tail -n 1)
    if [[ -n $input ]]; then
        printf '\nThe input, as base64:\n%s\n' "$(base64 -w 100 "$input")"
        cat <<END
To see it again, with the line where it happened:
  base64 -d >input   # and the text above
  RUST_BACKTRACE=1 tests/fuzz/$programs/$target input
To make it smaller:
  tests/fuzz/$programs/$target -minimize_crash=1 -max_total_time=60 input
Then mend what it shows, and put the case into the tests beside the code.
END
    fi
done
((failed == 0)) && result=ok || result=FAILED
echo
echo "test result: $result. $((${#targets[@]} - failed)) passed; $failed failed; 0 ignored;"
((failed == 0))
