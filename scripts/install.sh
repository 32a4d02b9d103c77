#!/bin/sh
# Installs lgi-mm from a release: install.sh [--to DIRECTORY] PLACE
#   PLACE      a directory, or a URL that has the files of a release
#   DIRECTORY  where the program goes; /usr/local/bin as root, else ~/.local/bin
# Nothing is installed unless its checksum is in SHA256SUMS. The program needs PostgreSQL's programs, or a DATABASE_URL.
set -eu

fail() {
    echo "error: $*" >&2
    exit 1
}

place=''
to=''
while [ $# -gt 0 ]; do
    case $1 in
        --to)
            [ $# -ge 2 ] || fail "--to needs a directory"
            to=$2
            shift 2
            ;;
        -*) fail "$1: give --to DIRECTORY and the place of a release" ;;
        *)
            [ -z "$place" ] || fail "one place only: $place, $1"
            place=$1
            shift
            ;;
    esac
done
[ -n "$place" ] || fail "give the directory or URL of a release: install.sh PLACE"
if [ -z "$to" ]; then
    if [ "$(id -u)" = 0 ]; then to=/usr/local/bin; else to=$HOME/.local/bin; fi
fi
for program in sha256sum tar xz; do
    command -v "$program" >/dev/null || fail "no $program: install it first"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Fetches the file $1 of the release into $work.
fetch() {
    case $place in
        http://127.0.0.1* | http://localhost* | https://*)
            if command -v curl >/dev/null; then
                curl --fail --silent --show-error --location --output "$work/$1" "$place/$1"
            elif command -v wget >/dev/null; then
                wget --quiet --output-document="$work/$1" "$place/$1"
            else
                fail "no curl and no wget: install one, or download the release and give its directory"
            fi
            ;;
        http://*) fail "$place: use https, or download the release and give its directory" ;;
        *) cp "$place/$1" "$work/$1" ;;
    esac || fail "$1 is not at $place"
}

fetch SHA256SUMS
archive=$(sed -n "s/^[0-9a-f]\{64\}  \(lgi-mm-[0-9][^/]*-$(uname -m)\.tar\.xz\)$/\1/p" "$work/SHA256SUMS")
[ -n "$archive" ] || fail "the release at $place has no program for $(uname -m)"
[ "$(echo "$archive" | wc -l)" = 1 ] || fail "the release at $place has several programs for $(uname -m)"
fetch "$archive"
(cd "$work" && grep "  $archive\$" SHA256SUMS | sha256sum --check --quiet -) ||
    fail "$archive is not the file that SHA256SUMS names: nothing is installed"
tar --extract --xz --file "$work/$archive" --directory "$work"
tree=$work/${archive%.tar.xz}
"$tree/lgi-mm" --version >/dev/null || fail "the program does not run on this machine: nothing is installed"

mkdir -p "$to"
# Renamed into place: a program that runs keeps its file.
cp "$tree/lgi-mm" "$to/.lgi-mm.new"
mv "$to/.lgi-mm.new" "$to/lgi-mm"
echo "$("$to/lgi-mm" --version) is in $to"
case :$PATH: in
    *:"$to":*) ;;
    *) echo "add it to your PATH: export PATH=\"$to:\$PATH\"" ;;
esac
for found in /usr/lib/postgresql/*/bin/initdb $(command -v initdb || true); do
    if [ -x "$found" ]; then exit 0; fi
done
echo "PostgreSQL was not found: install it (Debian: apt install postgresql), or set DATABASE_URL to a server"
