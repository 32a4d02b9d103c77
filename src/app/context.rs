//! Resources of a request: settings, database, chains, keys, and an engine that uses them.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{PgPool, postgres::PgPoolOptions};
use tracing::warn;

use super::{
    connections::{self, Kind, Shares, SharesError},
    error::AppError,
};
use crate::{
    chain::{LiveMarkets, Realms, open_chains, price_witnesses},
    config::{Guard, Settings, guard},
    embedded::{self, Options, Server},
    engine::Engine,
    paper::PaperMarkets,
    ports::PoolPrices,
    prices::{Aggregators, PriceBook},
    store::{
        self, MigrateError, Schema, alive,
        integrity::{self, Depth},
        memory::JobMemory,
        refusal::{Explained, READ_ONLY, explain},
        session::{ProbeError, Sessions},
    },
};

/// The database's name on the private server.
pub(super) const DATABASE: &str = "lgi_mm";

/// Longest wait for a connection; a longer outage is an error.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(3);

/// A database. The private server lives as long as this does.
pub struct App {
    pub(super) pool: PgPool,
    pub(super) url: String,
    pub(super) server: Option<Arc<Server>>,
    pub(super) settings: Settings,
    pub(super) sessions: Sessions,
    pub(super) shares: Shares,
    pub(super) live: Arc<LiveMarkets>,
    /// Jobs as they were listed last.
    pub(super) memory: JobMemory,
}

/// What a command may do about a schema that is not up to date. A database that `DATABASE_URL` or the settings name is
/// migrated by `migrate` alone: others may be using it. The first use of the private server creates the tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Do not migrate; the schema must be up to date.
    Read,
    /// Migrate it on the private server; elsewhere it must be up to date.
    Change,
    /// Migrate it, wherever it is.
    Migrate,
    /// Neither migrate nor check it.
    AsItIs,
}

impl App {
    /// Opens the database for a command that changes something, starting the private server if there is no other.
    pub async fn open(settings: &Settings) -> Result<Self, AppError> {
        Self::with(settings, Access::Change, Depth::Short, None).await
    }

    /// Opens the database for a command that only reads, and must not change the schema under a running service.
    pub async fn read(settings: &Settings) -> Result<Self, AppError> {
        Self::with(settings, Access::Read, Depth::Short, None).await
    }

    /// Opens the database for a command that only reads; `None`: it is the private one, which is not made for this.
    pub(super) async fn if_there(settings: &Settings) -> Result<Option<Self>, AppError> {
        if settings.database.url.0.is_empty() && embedded::is_new(&private_options(settings))?.0 {
            return Ok(None);
        }
        Self::read(settings).await.map(Some)
    }

    /// Opens the database and migrates it.
    pub async fn migrate(settings: &Settings) -> Result<Self, AppError> {
        Self::with(settings, Access::Migrate, Depth::Short, None).await
    }

    /// Opens the database for another program.
    pub async fn as_it_is(settings: &Settings) -> Result<Self, AppError> {
        Self::with(settings, Access::AsItIs, Depth::Short, None).await
    }

    /// Opens the database to read all of it, older tables included; the private one is made if it is not there.
    pub async fn any_schema(settings: &Settings) -> Result<Self, AppError> {
        let app = Self::connect(settings, None).await?;
        app.bring_up_to_date(Access::AsItIs).await?;
        Ok(app)
    }

    /// Opens the database as it is, with or without our tables.
    pub(super) async fn unmigrated(settings: &Settings) -> Result<Self, AppError> {
        Self::connect(settings, None).await
    }

    async fn with(
        settings: &Settings,
        access: Access,
        depth: Depth,
        service: Option<Kind>,
    ) -> Result<Self, AppError> {
        let app = Self::connect(settings, service).await?;
        app.refuse_read_only(access).await?;
        app.bring_up_to_date(access).await?;
        app.refuse_exposed(access).await?;
        app.refuse_half_filled(access, depth).await?;
        Ok(app)
    }

    /// Opens the database for a service, which trades by what the ledger says: it must be whole, and serve enough
    /// connections. `None`: for one pass of a scheduler.
    pub async fn serve(settings: &Settings, service: Option<Kind>) -> Result<Self, AppError> {
        Self::with(settings, Access::Change, Depth::Full, service).await
    }

    /// Refuses a ledger that was restored in part, for a command that writes; one that reads logs it.
    async fn refuse_half_filled(&self, access: Access, depth: Depth) -> Result<(), AppError> {
        if access == Access::AsItIs {
            return Ok(());
        }
        let missing = integrity::missing(&self.pool, depth).await?;
        if missing.is_empty() {
            return Ok(());
        }
        let error = AppError::HalfFilled(missing);
        if access == Access::Read {
            tracing::warn!(%error, "nothing is traded");
            return Ok(());
        }
        Err(error)
    }

    /// Refuses a database that takes no writes, for a command that writes; one that reads logs it.
    async fn refuse_read_only(&self, access: Access) -> Result<(), AppError> {
        if access == Access::AsItIs || store::server::takes_writes(&self.pool).await? {
            return Ok(());
        }
        let cause = Explained::from(READ_ONLY);
        if access == Access::Read {
            warn!(%cause, "nothing can be changed or traded now");
            return Ok(());
        }
        let url = redacted(&self.url);
        Err(AppError::Unreachable { url, cause })
    }

    async fn bring_up_to_date(&self, access: Access) -> Result<(), AppError> {
        let private = self.server.is_some();
        let there = match access {
            Access::Migrate => Schema::Older(0),
            Access::AsItIs if !private => return Ok(()),
            _ => store::schema_of(&self.pool).await?,
        };
        let may = match there {
            Schema::Current => return Ok(()),
            Schema::Missing => private || access == Access::Migrate,
            Schema::Older(_) => access == Access::Migrate || (private && access == Access::Change),
        };
        if may {
            return Ok(store::migrate(&self.pool).await?);
        }
        match there {
            Schema::Older(_) if access == Access::AsItIs => Ok(()),
            Schema::Older(to_run) => Err(MigrateError::Older(to_run).into()),
            _ => Err(MigrateError::Missing.into()),
        }
    }

    /// Refuses a database with live jobs over a connection that others can read or answer: its rows determine which
    /// transactions the key signs.
    async fn refuse_exposed(&self, access: Access) -> Result<(), AppError> {
        let Some(mode) = exposed(&self.url, &self.settings) else {
            return Ok(());
        };
        if access != Access::Change {
            return Ok(());
        }
        if store::schema::any_live(&self.pool).await? {
            return Err(refused(&self.url, mode, "the database has live jobs"));
        }
        Ok(())
    }

    /// Opens the database without migrating it.
    async fn connect(settings: &Settings, service: Option<Kind>) -> Result<Self, AppError> {
        let given = &settings.database.url.0;
        let (url, server) = if given.is_empty() {
            let server = private_server(settings).await?;
            embedded::ensure_database(&server, DATABASE).await?;
            (server.app_url(DATABASE), Some(Arc::new(server)))
        } else {
            (given.clone(), None)
        };
        // Before the password is sent.
        if let Some(mode) = exposed(&url, settings)
            && !settings.live_chains().is_empty()
        {
            return Err(refused(&url, mode, "the settings have nodes to trade with"));
        }
        let mut sessions = reach(&url, settings).await?;
        if let Some(kind) = service {
            sessions = sessions.named(&alive::session_name(kind, &settings.fingerprint));
        }
        // Nobody limits the private server.
        let shares = match service.filter(|_| server.is_none()) {
            Some(kind) => divided(kind, &sessions, &url, settings).await?,
            None => Shares::of(settings),
        };
        let pool = open_pool(&sessions, shares.work, &url, settings).await?;
        let chains = open_chains(settings.live_chains(), &pool)
            .map_err(|error| AppError::Network(format!("the HTTP client cannot be made: {error}")))?;
        let live = Arc::new(LiveMarkets::new(
            chains,
            settings.keys()?,
            Arc::new(settings.policy()?),
        ));
        Ok(Self {
            pool,
            live,
            memory: JobMemory::default(),
            url,
            server,
            sessions,
            shares,
            settings: settings.clone(),
        })
    }

    pub(super) fn prices(&self) -> Result<PriceBook, AppError> {
        let chains = self.live.chains().iter();
        let chains = chains.map(|(name, live)| (name.clone(), live.prices.clone() as Arc<dyn PoolPrices>));
        PriceBook::new(self.pool.clone(), self.settings.dexscreener.clone())
            .map(|book| book.with_chains(chains.collect()))
            .and_then(|book| Ok(book.with_witnesses(price_witnesses(self.live.chains())?)))
            .map_err(|error| AppError::Network(format!("the HTTP client cannot be made: {error}")))
    }

    /// The chains and keys of live jobs. They are opened on first use.
    pub(super) fn live(&self) -> &LiveMarkets {
        &self.live
    }

    /// The paper venue is external: it uses separate connections.
    pub(super) async fn paper(&self) -> Result<PaperMarkets, AppError> {
        let most = self.shares.paper;
        let pool = open_pool(&self.sessions, most, &self.url, &self.settings).await?;
        Ok(PaperMarkets::new(pool, self.settings.paper.clone()))
    }

    pub(super) async fn engine(&self) -> Result<Engine, AppError> {
        let prices = Arc::new(self.prices()?);
        let markets = Arc::new(Realms {
            paper: Arc::new(self.paper().await?),
            live: self.live.clone(),
        });
        let ids = self.live().chains().iter();
        let ids = ids
            .map(|(name, live)| (name.clone(), live.spec.chain_id))
            .collect();
        let referees = Aggregators::new(self.settings.referees.clone(), ids);
        let referees = referees
            .map_err(|error| AppError::Network(format!("the HTTP client cannot be made: {error}")))?;
        let engine = Engine::new(self.pool.clone(), prices, markets, self.settings.engine());
        Ok(engine.with_referees(Arc::new(referees)))
    }
}

/// The sslmode of an insecure connection (others can read it or answer), unless the settings allow it.
fn exposed(url: &str, settings: &Settings) -> Option<&'static str> {
    match guard(url) {
        Guard::Exposed(mode) if !settings.database.insecure => Some(mode),
        _ => None,
    }
}

fn refused(url: &str, mode: &str, why: &str) -> AppError {
    AppError::Usage(format!(
        "the connection to the database is not safe enough for live trading: DATABASE_URL is {}, sslmode = {mode}, and \
         {why}. An attacker on the way could read the password, or answer in place of the database and so decide what is \
         traded. Allowed: a Unix socket, the loopback address, or sslmode=verify-full in the URL, with \
         database.ssl_root_cert for a certificate authority of your own. If no one else can reach that network, set \
         database.insecure = true",
        redacted(url)
    ))
}

/// Where the private server is.
pub(super) fn private_options(settings: &Settings) -> Options {
    let dir = &settings.database.data_dir;
    Options {
        data_dir: (!dir.is_empty()).then(|| PathBuf::from(dir)),
        ..Options::default()
    }
}

async fn private_server(settings: &Settings) -> Result<Server, AppError> {
    let options = private_options(settings);
    if let (true, place) = embedded::is_new(&options)? {
        warn!(directory = %place.display(), "making a private database (once)");
    }
    tokio::task::spawn_blocking(move || embedded::start_or_join(&options))
        .await
        .map_err(|error| AppError::Internal(error.to_string()))?
        .map_err(AppError::from)
}

/// Waits for a database that is starting; a wrong name or password fails at once.
async fn reach(url: &str, settings: &Settings) -> Result<Sessions, AppError> {
    if has_several_hosts(url) {
        return Err(AppError::Usage(format!(
            "DATABASE_URL is {}: it names several hosts, and lgi-mm uses one; give the address that follows the primary (a \
             virtual address, a DNS name, or a pooler in session mode)",
            redacted(url)
        )));
    }
    let begun = Instant::now();
    let patience = settings.database.connect_timeout.std();
    let mut said = false;
    loop {
        let longest = Duration::from_secs(10).min(patience);
        // A pool only reports a timeout; a single connection reports the cause.
        let answered = tokio::time::timeout(longest, Sessions::probe(url))
            .await
            .unwrap_or(Err(ProbeError::Refused(sqlx::Error::PoolTimedOut)));
        let error = match answered {
            Ok(sessions) => return Ok(sessions),
            Err(error) => error,
        };
        if !worth_waiting(&error) || begun.elapsed() >= patience {
            return Err(unreachable(url, &error));
        }
        if !said {
            warn!(%error, "the database does not answer yet; waiting");
            said = true;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

async fn divided(
    kind: Kind,
    sessions: &Sessions,
    url: &str,
    settings: &Settings,
) -> Result<Shares, AppError> {
    let divided = connections::shares(kind, sessions, settings).await;
    divided.map_err(|error| match error {
        SharesError::TooFew(cause) => {
            let url = redacted(url);
            AppError::TooFewConnections { url, cause }
        }
        SharesError::Refused(error) => unreachable(url, &error.into()),
    })
}

pub(super) async fn open_pool(
    sessions: &Sessions,
    most: u32,
    url: &str,
    settings: &Settings,
) -> Result<PgPool, AppError> {
    let patience = settings.database.connect_timeout.std();
    let options = PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(ACQUIRE_PATIENCE.min(patience));
    let opened = sessions.pool(options).await;
    opened.map_err(|error| unreachable(url, &error.into()))
}

fn unreachable(url: &str, error: &ProbeError) -> AppError {
    let cause = match error {
        ProbeError::Refused(error) => explain(error),
        ProbeError::Unfit(refusal) => (*refusal).into(),
    };
    let url = redacted(url);
    AppError::Unreachable { url, cause }
}

/// Whether the connection string is libpq's list of hosts.
fn has_several_hosts(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
    let place = front.rsplit_once('@').map_or(front, |(_, place)| place);
    let hosts = place.split('/').next().unwrap_or_default();
    let in_query = |pair: &str| {
        pair.split_once('=')
            .is_some_and(|(key, value)| matches!(key, "host" | "hostaddr" | "port") && value.contains(','))
    };
    hosts.contains(',')
        || query
            .replace("%2C", ",")
            .replace("%2c", ",")
            .split('&')
            .any(in_query)
}

fn worth_waiting(error: &ProbeError) -> bool {
    match error {
        ProbeError::Refused(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => true,
        // cannot_connect_now: it is starting or stopping.
        ProbeError::Refused(sqlx::Error::Database(error)) => error.code().as_deref() == Some("57P03"),
        _ => false,
    }
}

/// Connection string parameters that hold no secret.
const HARMLESS: [&str; 6] = [
    "sslmode",
    "sslrootcert",
    "host",
    "port",
    "dbname",
    "application_name",
];

/// A connection string without its password, even if the string is malformed.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "not a connection string".to_owned();
    };
    let (front, query) = match rest.split_once('?') {
        Some((front, query)) => (front, Some(query)),
        None => (rest, None),
    };
    let front = match front.rsplit_once('@') {
        Some((who, place)) => {
            let user = who.split(':').next().unwrap_or_default();
            format!("{user}:***@{place}")
        }
        None => {
            let (authority, path) = front.find('/').map_or((front, ""), |slash| front.split_at(slash));
            // Without an @, the part after the colon is a port, or a password whose @ was forgotten.
            match authority.rsplit_once(':') {
                Some((host, port)) if port.parse::<u16>().is_err() => format!("{host}:***{path}"),
                _ => front.to_owned(),
            }
        }
    };
    let shown = |pair: &str| match pair.split_once('=') {
        Some((key, _)) if HARMLESS.contains(&key) => pair.to_owned(),
        Some((key, _)) => format!("{key}=***"),
        None => "***".to_owned(),
    };
    let query = query.map_or_else(String::new, |query| {
        let pairs: Vec<String> = query.split('&').map(shown).collect();
        format!("?{}", pairs.join("&"))
    });
    format!("{scheme}://{front}{query}")
}

#[cfg(test)]
mod tests {
    use super::{has_several_hosts, redacted};

    #[test]
    fn a_list_of_hosts_is_recognized_and_a_password_with_a_comma_is_none() {
        for (url, several) in [
            ("postgres://u:p@a,b/x", true),
            ("postgres://a:1,b:2/x", true),
            (
                "postgresql://u@a:5432,b:5433,c/x?target_session_attrs=primary",
                true,
            ),
            ("postgres://u@/x?host=a,b", true),
            ("postgres:///x?user=u&host=a%2Cb", true),
            ("postgres:///x?user=u&host=a%2cb", true),
            ("postgres://u:p,q@a/x", false),
            ("postgres://u@a/x,y", false),
            ("postgres://u@a/x?options=-c%20search_path=a,b", false),
            ("no url, or two", false),
        ] {
            assert_eq!(has_several_hosts(url), several, "{url}");
        }
    }

    #[test]
    fn no_connection_string_shows_its_password() {
        for (url, shown) in [
            ("postgres://bob:hunter2@db:5432/x", "postgres://bob:***@db:5432/x"),
            ("postgres://bob:hun@ter2@db/x", "postgres://bob:***@db/x"),
            ("postgres://bob:hun/ter2@db/x", "postgres://bob:***@db/x"),
            ("postgres://bob:hun?ter2@db/x", "postgres://bob:***?***"),
            ("postgres://bob:hunter2/x", "postgres://bob:***/x"),
            ("postgres://db:5432/x", "postgres://db:5432/x"),
            ("postgres://db/x?password=hunter2", "postgres://db/x?password=***"),
            (
                "postgres:///x?%70assword=hunter2&user=a@b",
                "postgres:///x?%70assword=***&user=***",
            ),
            (
                "postgres://bob@db/x?sslmode=require&port=9",
                "postgres://bob:***@db/x?sslmode=require&port=9",
            ),
            ("bob:hunter2@db", "not a connection string"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }
}
