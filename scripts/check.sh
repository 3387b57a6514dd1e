#!/usr/bin/env bash
# What can be told without running anything: format, include arrows, names in docs, what the
# binaries link. Prints each finding; exit 1 if there is one.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0

echo "check: format"
git ls-files 'src/*.cc' 'src/*.h' | xargs -P "$(nproc)" -n 40 clang-format-14 --dry-run -Werror 2>&1 |
  grep -E 'error:' | cut -d: -f1 | sort -u | sed 's/^/check: not formatted (make format): /' | tee /tmp/check.$$
[ -s /tmp/check.$$ ] && failed=1
rm -f /tmp/check.$$

echo "check: include arrows"
python3 scripts/check_includes.py || failed=1

echo "check: names in docs"
python3 scripts/check_docs.py || failed=1

proxy=build/release/sennit-proxy
if [ -x "$proxy" ]; then
  echo "check: what sennit-proxy links"
  if ldd "$proxy" | grep -E 'grpc|libssl|libcrypto|httplib'; then
    echo "check: sennit-proxy must link neither gRPC nor a second TLS library"
    failed=1
  fi
fi
exit $failed
