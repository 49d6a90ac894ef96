# Sourced by the other scripts: how a package comes onto this machine, and how failure is said.

fail() {
    echo "guestmap: $*" >&2
    exit 1
}

# apt_install REASON PACKAGE...: install packages, or say which ones are missing.
apt_install() {
    reason=$1
    shift
    command -v apt-get >/dev/null 2>&1 ||
        fail "$reason: there is no apt-get here; install what Debian calls $* and try again"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null ||
            fail "$reason: install $* (apt-get install $*) and try again"
        as_root="sudo -n"
    fi
    echo "guestmap: installing $* ($reason)"
    quietly="$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
    # The index may be older than the archive, or not be there at all.
    $quietly "$@" >/dev/null 2>&1 ||
        { $as_root apt-get update -qq >/dev/null 2>&1 && $quietly "$@" >/dev/null; } ||
        fail "$reason: apt-get could not install $*; install it by hand and try again"
}

# apt_unpack WHAT PACKAGE...: unpack packages of this release in the current folder; nothing is installed.
apt_unpack() {
    what=$1
    shift
    command -v apt-get >/dev/null 2>&1 || fail "$what: needs Debian's apt-get and dpkg"
    apt-get download -q "$@" >/dev/null 2>&1 ||
        { apt-get update -qq && apt-get download -q "$@" >/dev/null; } || fail "cannot download $what"
    for each in ./*.deb; do
        dpkg-deb -x "$each" .
        rm "$each"
    done
}

# have_programs REASON PACKAGES PROGRAM...: install packages where one of the programs is missing.
have_programs() {
    reason=$1
    packages=$2
    shift 2
    for each in "$@"; do
        # shellcheck disable=SC2086 # a list of packages
        command -v "$each" >/dev/null 2>&1 || { apt_install "$reason" $packages && return; }
    done
}

# debian_archive: print the address of the Debian archive that this machine's apt is set up with.
debian_archive() {
    archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' |
        grep '/debian/$' | sort -u | head -n 1)
    [ -n "$archive" ] || fail "no Debian archive in apt's own sources; run apt-get update first"
    echo "$archive"
}
