#!/usr/bin/env bash
# Builds third_party/ once into build/deps/install; does nothing while its inputs are the same.
set -euo pipefail
cd "$(dirname "$0")/.."

inputs=$(cat third_party/CMakeLists.txt third_party/trim_protos.py third_party/crates/Cargo.lock \
  $(find protos -type f | LC_ALL=C sort) | sha256sum | cut -d' ' -f1)
stamp=build/deps/install/.inputs
[ "$(cat "$stamp" 2>/dev/null)" = "$inputs" ] && exit 0

echo "deps: fetching sources (xDS protos, AWS-LC)"
mkdir -p build/deps
cargo vendor --quiet --locked --manifest-path third_party/crates/Cargo.toml build/deps/crates >/dev/null
echo "deps: building (a few minutes, once)"
cmake -S third_party -B build/deps/build -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCRATES="$PWD/build/deps/crates" -DCMAKE_INSTALL_PREFIX="$PWD/build/deps/install" \
  -DPython3_EXECUTABLE="$PWD/build/venv/bin/python" \
  $(command -v ccache >/dev/null && echo -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache) \
  > build/deps/configure.log
NINJA_STATUS='deps: [%f/%t] ' ninja -C build/deps/build -j "$(nproc)" install | awk '/^deps: \[/ {
  split($2, a, /[\[\/\]]/); p = int(a[2] * 20 / a[3]); if (p != last) { print $1, $2; fflush(); last = p } next } /FAILED|error/'
echo "$inputs" > "$stamp"
