//! Dumps of a database by `pg_dump`, in its custom format: made under another name until they are whole, read, and
//! restored in one transaction.

mod contents;
mod error;
mod file;
mod programs;

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

pub use contents::Contents;
pub use error::DumpError;

use crate::embedded;

use self::{
    file::{Partial, at},
    programs::{Arguments, run},
};

/// Variables that connect a program of PostgreSQL to the database.
pub type Environment = Vec<(&'static str, String)>;

/// The first bytes of a dump in custom format.
const MAGIC: &[u8] = b"PGDMP";

/// A database, as PostgreSQL's own programs reach it.
#[derive(Debug, Clone)]
pub struct Dumps {
    /// How they connect.
    pub environment: Environment,
    /// The server's major version.
    pub server: u32,
}

/// A dump that was read from its first to its last byte.
#[derive(Debug, Clone)]
pub struct Dump {
    /// The file.
    pub path: PathBuf,
    /// Its list.
    pub contents: Contents,
    program: PathBuf,
}

impl Dumps {
    /// Writes a dump to `target`, which has its name only when the dump is whole; `check` may refuse it before. A file
    /// that is there is replaced only if `replace` is given.
    ///
    /// # Errors
    /// [`DumpError`].
    pub async fn make<E: From<DumpError>>(
        &self,
        target: &Path,
        replace: bool,
        check: impl AsyncFnOnce(&Dump) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let partial = Partial::new(target, replace)?;
        let program = first("pg_dump", self.server)?;
        let arguments = Arguments::new(["--format=custom", "--no-password", "--lock-wait-timeout=30s"])
            .with_path("--file=", partial.path());
        run("pg_dump", &program, &arguments, &self.environment).await?;
        let dump = self.open(partial.path()).await?;
        check(&dump).await?;
        Ok(partial.keep(replace)?)
    }

    /// Reads a dump as a whole: its list, and every block of data.
    ///
    /// # Errors
    /// [`DumpError`].
    pub async fn open(&self, path: &Path) -> Result<Dump, DumpError> {
        let mut head = [0; MAGIC.len()];
        let file = File::open(path).map_err(at(path))?;
        if file.metadata().map_err(at(path))?.is_dir()
            || file.take(5).read_exact(&mut head).is_err()
            || head != MAGIC
        {
            return Err(DumpError::NoDump(path.to_owned()));
        }
        let (program, list) = listed(path, embedded::clients("pg_restore", self.server)?).await?;
        let dump = Dump {
            path: path.to_owned(),
            contents: Contents::read(&list),
            program,
        };
        let everything = Arguments::new(["--file=/dev/null"]).with_path("", path);
        run("pg_restore", &dump.program, &everything, &[])
            .await
            .map_err(|error| not_whole(path, error))?;
        Ok(dump)
    }

    /// Restores a dump into the database, in one transaction: all of it, or nothing.
    ///
    /// # Errors
    /// [`DumpError`].
    pub async fn restore(&self, dump: &Dump) -> Result<(), DumpError> {
        let mut list = tempfile::NamedTempFile::new().map_err(at(&std::env::temp_dir()))?;
        list.write_all(dump.contents.to_restore().as_bytes())
            .map_err(at(list.path()))?;
        let database = self.environment.iter().find(|(name, _)| *name == "PGDATABASE");
        let database = database.map_or("", |(_, value)| value.as_str());
        let arguments = Arguments::new([
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-acl",
            "--no-password",
            &format!("--dbname={}", quoted(database)),
        ])
        .with_path("--use-list=", list.path())
        .with_path("", &dump.path);
        run("pg_restore", &dump.program, &arguments, &self.environment).await?;
        Ok(())
    }
}

impl Dump {
    /// The rows of a table, by column in the table's order, as text.
    ///
    /// # Errors
    /// [`DumpError`].
    pub async fn rows(&self, schema: &str, table: &str) -> Result<Vec<Vec<String>>, DumpError> {
        let arguments = Arguments::new([
            "--data-only",
            "--file=-",
            &format!("--schema={schema}"),
            &format!("--table={table}"),
        ])
        .with_path("", &self.path);
        let copied = run("pg_restore", &self.program, &arguments, &[])
            .await
            .map_err(|error| not_whole(&self.path, error))?;
        Ok(contents::rows(&copied))
    }
}

fn first(name: &'static str, server: u32) -> Result<PathBuf, DumpError> {
    let mut found = embedded::clients(name, server)?;
    Ok(found.swap_remove(0))
}

/// The list of a dump, by the first of these programs that knows its format.
async fn listed(path: &Path, programs: Vec<PathBuf>) -> Result<(PathBuf, String), DumpError> {
    let arguments = Arguments::new(["--list"]).with_path("", path);
    let mut unknown = String::new();
    for program in programs {
        match run("pg_restore", &program, &arguments, &[]).await {
            Ok(list) => return Ok((program, list)),
            Err(DumpError::Failed { said, .. }) if said.contains("unsupported version") => unknown = said,
            Err(error) => return Err(not_whole(path, error)),
        }
    }
    Err(DumpError::NewerFormat {
        path: path.to_owned(),
        said: unknown,
    })
}

fn not_whole(path: &Path, error: DumpError) -> DumpError {
    match error {
        DumpError::Failed { said, .. } => DumpError::NotWhole {
            path: path.to_owned(),
            why: said,
        },
        other => other,
    }
}

/// A database's name as part of a connection string: a name with `=` would be read as one.
fn quoted(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('\'', "\\'");
    format!("dbname='{escaped}'")
}
