# Sourced by scripts that unpack packages of another Debian release: an apt of their own, which reads and
# writes nothing of this machine's but its archive and its keys.

# own_apt ROOT SUITE...: `own` is apt-get for packages of these suites, with everything of it in ROOT/.apt.
# Set architecture before for packages of another one than this machine's.
own_apt() {
    apt=$1/.apt
    shift
    command -v apt-get >/dev/null 2>&1 || fail "needs Debian's apt-get and dpkg"
    archive=$(debian_archive)
    keys=$(ls /usr/share/keyrings/debian-archive-keyring.* 2>/dev/null | head -n 1)
    [ -n "$keys" ] || fail "needs the package debian-archive-keyring"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/etc" "$apt/dpkg"
    : >"$apt/dpkg/status"
    for each in "$@"; do
        echo "deb [signed-by=$keys] $archive $each main"
    done >"$apt/etc/sources.list"
    own update >"$apt/log" 2>&1 || { tail -n 5 "$apt/log" >&2 && fail "cannot read the index of $*"; }
}

own() {
    apt-get -q -o "Dir::State=$apt" -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/dpkg/status" \
        -o "Dir::Cache=$apt/cache" -o "Dir::Etc::sourcelist=$apt/etc/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::Etc::main=- -o Dir::Etc::parts=- -o Dir::Etc::preferencesparts=- -o APT::Sandbox::User=root \
        -o APT::Install-Recommends=false -o Debug::NoLocking=true \
        ${architecture:+-o APT::Architecture=$architecture -o APT::Architectures=$architecture} "$@"
}

# own_unpack ROOT WORD...: unpack packages and all that they need; WORDs are those of apt-get install.
own_unpack() {
    root=$1
    shift
    own install -y --download-only "$@" >>"$apt/log" 2>&1 ||
        { tail -n 5 "$apt/log" >&2 && fail "cannot download $*"; }
    for each in "$apt"/cache/archives/*.deb; do
        dpkg-deb -x "$each" "$root"
        rm "$each"
    done
}

# own_source DIR PACKAGE: unpack a package's source below DIR, with Debian's patches; apt checks its signature
# and its hashes, dpkg-source unpacks it.
own_source() {
    sed 's/^deb /deb-src /' "$apt/etc/sources.list" >"$apt/etc/sources"
    mv "$apt/etc/sources" "$apt/etc/sources.list"
    own update >>"$apt/log" 2>&1 || { tail -n 5 "$apt/log" >&2 && fail "cannot read the index of sources"; }
    mkdir -p "$1"
    (cd "$1" && own source "$2" >>"$apt/log" 2>&1) ||
        { tail -n 5 "$apt/log" >&2 && fail "cannot download the source of $2"; }
}

# own_loader ROOT: set loader and libraries, by which a program of ROOT runs here. A program's own paths are
# those of the other release, and the link in lib64 is absolute: it would be this machine's loader.
own_loader() {
    loader=
    libraries=
    for each in usr/lib lib; do
        each=$1/$each/x86_64-linux-gnu
        [ ! -e "$each/ld-linux-x86-64.so.2" ] || loader=$each/ld-linux-x86-64.so.2
        libraries=$libraries$each:$each/pulseaudio:
    done
    [ -n "$loader" ] || fail "no x86-64 loader in the packages; only that host is supported"
}
