# `make system`: the programs that the tests need beside Python. As root on Debian it installs what
# is missing; elsewhere it says what is missing, and fails.
set -eu

if command -v "${CHROMIUM:-chromium}" >/dev/null; then
    echo "System: ${CHROMIUM:-chromium} is there, nothing to install."
    exit 0
fi
if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
    echo "System: apt-get installs chromium, for the browser tests …"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet --quiet
    apt-get install --quiet --yes --no-install-recommends chromium
else
    echo "The browser tests need Chromium: install it (Debian: sudo apt-get install chromium), or" \
        "set CHROMIUM to the path of Chromium or Chrome, and run the same command again" >&2
    exit 1
fi
