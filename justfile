# `just` lists the recipes; each calls the script that does the work.

_default:
    @just --list --unsorted

# Show jobs of both modes trading on paper for a minute
[group('see')]
demo *args:
    scripts/demo {{ args }}

# Run all tests
[group('check')]
test *args:
    scripts/test {{ args }}

# Crash test: kill processes at random moments, for longer than in the test suite
[group('check')]
crash seconds="600":
    LGI_MM_CRASH_SECONDS={{ seconds }} scripts/test --test processes crash:: -- --nocapture

# Chaos test: this number of live trades through lying nodes and a chain with reorgs
[group('check')]
chaos trades="2000":
    LGI_MM_CHAOS={{ trades }} scripts/test --test chain chaos:: -- --nocapture

# The same with outcomes that count before they are final: a signer may halt permanently, and says why
[group('check')]
chaos-shallow trades="100":
    LGI_MM_CHAOS={{ trades }} scripts/test --test chain below_the_depth -- --nocapture --ignored

# Measure what live trading costs next to a bare loop (costs), and swaps per second of one signer (rate)
[group('check')]
bench-live *parts:
    scripts/bench-live {{ parts }}

# Benchmark a fleet of jobs against other queues; the figures of docs/performance.md
[group('check')]
bench *args:
    scripts/bench {{ args }}

# Benchmark backtests against other backtesters; the figures of docs/performance.md
[group('check')]
bench-backtest *rows:
    scripts/bench-backtest {{ rows }}

# Measure how far below its line a stop sells on recorded prices; the table of docs/stops.md
[group('check')]
stops +files:
    scripts/stops {{ files }}

# Measure how tables grow with this number of ticks; the figures of docs/retention.md
[group('check')]
growth ticks="1000000":
    LGI_MM_GROWTH={{ ticks }} scripts/test --test processes growth -- --nocapture --ignored

# Run everything that a change must pass
[group('check')]
ci:
    .ci/run

# Format and run clippy
[group('check')]
lint:
    cargo fmt
    SQLX_OFFLINE=true cargo clippy --workspace --all-targets -- -D warnings

# After a change of SQL: regenerate .sqlx
[group('change')]
prepare:
    scripts/prepare

# Run a command with the private database's address in DATABASE_URL: just db psql
[group('change')]
db *command:
    SQLX_OFFLINE=true cargo run --quiet --locked -- db {{ command }}

# Accept changed snapshots; review them with git diff
[group('change')]
snapshots:
    INSTA_UPDATE=always scripts/test --test cli
