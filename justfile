# `just` lists the recipes; each calls the script that does the work.

_default:
    @just --list --unsorted

# Jobs of both modes trade on paper for a minute
[group('see')]
demo *args:
    scripts/demo {{ args }}

# All tests
[group('check')]
test *args:
    scripts/test {{ args }}

# Kill processes at random moments for longer than the tests do
[group('check')]
crash seconds="600":
    LGI_MM_CRASH_SECONDS={{ seconds }} scripts/test --test processes crash:: -- --nocapture

# So many live trades through nodes that lie and a chain that takes blocks back
[group('check')]
chaos trades="2000":
    LGI_MM_CHAOS={{ trades }} scripts/test --test chain chaos:: -- --nocapture

# The same where outcomes count before they are final: a signer may halt for good, and says why
[group('check')]
chaos-shallow trades="100":
    LGI_MM_CHAOS={{ trades }} scripts/test --test chain below_the_depth -- --nocapture --ignored

# Settled swaps a second from one signer, and what a swap costs in requests
[group('check')]
bench-live:
    bash -c 'source scripts/lib.sh && ensure_postgres && ensure_contracts && SQLX_OFFLINE=true cargo bench --profile dev --bench live'

# How fast a fleet of jobs is served, beside other queues; the figures of docs/performance.md
[group('check')]
bench *args:
    scripts/bench {{ args }}

# What a backtest takes, beside other backtesters; the figures of docs/performance.md
[group('check')]
bench-backtest *rows:
    scripts/bench-backtest {{ rows }}

# How tables grow with so many ticks; the figures of docs/retention.md
[group('check')]
growth ticks="1000000":
    LGI_MM_GROWTH={{ ticks }} scripts/test --test processes growth -- --nocapture --ignored

# Everything a change must pass
[group('check')]
ci:
    .ci/run

# Format, and let clippy look
[group('check')]
lint:
    cargo fmt
    SQLX_OFFLINE=true cargo clippy --workspace --all-targets -- -D warnings

# After a change of SQL: write .sqlx anew
[group('change')]
prepare:
    scripts/prepare

# A command beside the private database, its address in DATABASE_URL: just db psql
[group('change')]
db *command:
    SQLX_OFFLINE=true cargo run --quiet --locked -- db {{ command }}

# Look at changed snapshots
[group('change')]
snapshots:
    INSTA_UPDATE=always scripts/test --test cli
