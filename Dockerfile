# One image for every service: scheduler, worker and the one-shot migrate differ only in their command.

# The console's files, which are built into the program.
FROM node:22.23.3-bookworm-slim@sha256:43ac6c60b8f89723f746e8a92ce91abd5017e627ce1ddfe4238355d3a30b772c AS console
WORKDIR /build/console
COPY console/package.json console/package-lock.json console/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY docs/openapi.json ../docs/openapi.json
COPY console .
RUN npm run --silent build

FROM rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
# The image's compiler is the pinned version; rustup must not download another one.
ENV RUSTUP_TOOLCHAIN=1.95.0 SQLX_OFFLINE=true
WORKDIR /build
# Build dependencies first, with an empty program: this layer is cached until Cargo.lock or a crate changes.
COPY Cargo.toml Cargo.lock ./
COPY crates crates
RUN mkdir -p src benches/fleet \
    && echo 'fn main() {}' > src/main.rs \
    && cp src/main.rs benches/live.rs \
    && cp src/main.rs benches/backtest.rs \
    && cp src/main.rs benches/fleet/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked --features kms-aws,kms-gcp --bin lgi-mm \
    && rm -r src benches target/release/.fingerprint/lgi-mm-*
COPY build.rs build.rs
COPY build build
COPY .sqlx .sqlx
COPY migrations migrations
# Schemas of the API's document.
COPY docs/schema docs/schema
COPY --from=console /build/console/dist console/dist
COPY benches benches
COPY src src
# There is no git here: --build-arg LGI_MM_COMMIT="$(git log -1 --format='%h %cs')" names the commit in --version.
ARG LGI_MM_COMMIT=
RUN cargo build --release --locked --features kms-aws,kms-gcp --bin lgi-mm \
    && strip --strip-debug target/release/lgi-mm

FROM debian:13.7-slim@sha256:a99cfc517144bc59b1978475ec53b46ecabec7e43635402ee5b77cc54cd1b20a
# CA certificates for TLS to nodes and price sources, the rules of time zones, and the programs that make and restore
# backups, of the version of the Compose stack's server.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates tzdata postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin lgi-mm \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/lgi-mm
COPY --from=build /build/target/release/lgi-mm /usr/local/bin/lgi-mm
USER 10001:10001
WORKDIR /tmp
# Prometheus scrapes this from its container; the compose file does not publish the port.
ENV LGI_MM__METRICS__LISTEN=0.0.0.0:9464 \
    LGI_MM__LOG__FORMAT=json
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["lgi-mm", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["lgi-mm"]
CMD ["daemon"]
