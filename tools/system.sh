# `make system`: the programs that the tests need beside Python. As root on Debian it installs what
# is missing; elsewhere it says what is missing, and fails.
set -eu

chromium=${CHROMIUM:-chromium}
missing=""
command -v "$chromium" >/dev/null || missing="chromium"
command -v bwrap >/dev/null || missing="$missing bubblewrap"

if [ -z "$missing" ]; then
    echo "System: $chromium and bubblewrap are there, nothing to install."
    exit 0
fi
if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
    echo "System: apt-get installs $missing, for the tests …"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet --quiet
    # shellcheck disable=SC2086 # a list of packages
    apt-get install --quiet --yes --no-install-recommends $missing
else
    echo "The tests need Chromium, for the book, and bubblewrap, to isolate submissions. Missing:" \
        "$missing. Install it (Debian: sudo apt-get install $missing), or set CHROMIUM to the path of" \
        "Chromium or Chrome, and run the same command again" >&2
    exit 1
fi
