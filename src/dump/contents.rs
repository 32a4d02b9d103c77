//! What a dump says it contains: the list of `pg_restore --list`, and rows of a table.

use std::collections::{BTreeMap, HashSet};

/// The list of a dump.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Comment lines, such as `Archive created at`, by name.
    head: BTreeMap<String, String>,
    entries: Vec<Entry>,
}

/// A line of the list.
#[derive(Debug, Clone)]
struct Entry {
    line: String,
    /// `TABLE DATA public jobs`: kind, schema and name, without owner.
    what: String,
}

/// Entries that a restore leaves out: the target's owner may not comment on extensions or on the schema `public`, and
/// who may do what is granted by `migrate`.
const LEFT_OUT: [&str; 8] = [
    "ACL ",
    "COMMENT - EXTENSION ",
    "COMMENT - SCHEMA ",
    "DATABASE ",
    "DEFAULT ACL ",
    "PUBLICATION ",
    "SCHEMA - public",
    "SUBSCRIPTION ",
];

impl Contents {
    /// Reads the list.
    #[must_use]
    pub(super) fn read(list: &str) -> Self {
        let mut contents = Self::default();
        for line in list.lines() {
            if let Some(comment) = line.strip_prefix(';') {
                if let Some((name, value)) = comment.split_once(':') {
                    let name = name.trim().to_ascii_lowercase();
                    contents.head.insert(name, value.trim().to_owned());
                } else if let Some(at) = comment.trim().strip_prefix("Archive created at ") {
                    contents.head.insert("made".to_owned(), at.to_owned());
                }
            } else if let Some(entry) = entry(line) {
                contents.entries.push(entry);
            }
        }
        // The time has colons itself.
        let made = list
            .lines()
            .find_map(|line| line.strip_prefix("; Archive created at "));
        if let Some(made) = made {
            contents.head.insert("made".to_owned(), made.trim().to_owned());
        }
        contents
    }

    /// When it was made, as PostgreSQL wrote it.
    #[must_use]
    pub fn made(&self) -> Option<&str> {
        self.head.get("made").map(String::as_str)
    }

    /// The version of the server it was made from.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        self.head.get("dumped from database version").map(String::as_str)
    }

    /// Whether the table's definition and its rows are in it.
    #[must_use]
    pub fn has_table(&self, schema: &str, name: &str) -> bool {
        self.has(&format!("TABLE {schema} {name}")) && self.has(&format!("TABLE DATA {schema} {name}"))
    }

    fn has(&self, what: &str) -> bool {
        self.entries.iter().any(|entry| entry.what == what)
    }

    /// Which of these parts are not in it; a part is a line of the ledger's structure, such as `trigger
    /// public.fills.fills_append_only`. Constraints that are part of a table's definition are not listed by
    /// themselves.
    #[must_use]
    pub fn lacks<'a>(&self, structure: impl Iterator<Item = &'a str>) -> Vec<String> {
        let listed: HashSet<String> = self.entries.iter().flat_map(|entry| parts(&entry.what)).collect();
        structure
            .filter(|part| {
                let kind = part.split(' ').next().unwrap_or_default();
                let checked = ["table", "trigger", "function", "index"].contains(&kind);
                checked && !listed.contains(*part)
            })
            .map(str::to_owned)
            .collect()
    }

    /// The list of what is to be restored.
    #[must_use]
    pub fn to_restore(&self) -> String {
        let kept = self.entries.iter().filter(|entry| {
            let left_out = LEFT_OUT.iter().any(|what| entry.what.starts_with(what));
            !left_out
        });
        kept.map(|entry| format!("{}\n", entry.line)).collect()
    }
}

/// `3456; 0 16390 TABLE DATA public jobs lgi_mm`: two numbers, what it is, and its owner.
fn entry(line: &str) -> Option<Entry> {
    let (number, rest) = line.split_once("; ")?;
    number.trim().parse::<u64>().ok()?;
    let mut words = rest.splitn(3, ' ');
    let (_, _, described) = (words.next()?, words.next()?, words.next()?);
    // An entry without an owner ends with a blank.
    let what = described.rsplit_once(' ').map_or(described, |(what, _)| what);
    Some(Entry {
        line: line.to_owned(),
        what: what.to_owned(),
    })
}

/// The names of an entry as the ledger's structure has them.
fn parts(what: &str) -> Vec<String> {
    let words: Vec<&str> = what.split(' ').collect();
    match *words.as_slice() {
        // A table is whole with its rows.
        ["TABLE", "DATA", schema, name] => vec![format!("table {schema}.{name}")],
        ["INDEX", schema, name] => vec![format!("index {schema}.{name}")],
        ["CONSTRAINT", schema, table, name] => {
            vec![
                format!("index {schema}.{name}"),
                format!("constraint {schema}.{table}.{name}"),
            ]
        }
        ["TRIGGER", schema, table, name] => vec![format!("trigger {schema}.{table}.{name}")],
        ["FUNCTION", schema, name, ..] => {
            let name = name.split('(').next().unwrap_or_default();
            vec![format!("function {schema}.{name}")]
        }
        _ => Vec::new(),
    }
}

/// The rows of a table in COPY's text format: one line each, columns separated by tabs.
pub(super) fn rows(copied: &str) -> Vec<Vec<String>> {
    copied
        .lines()
        .skip_while(|line| !line.starts_with("COPY "))
        .skip(1)
        .take_while(|line| *line != "\\.")
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
;
; Archive created at 2026-11-29 03:00:00 UTC
;     dbname: lgi_mm
;     Dumped from database version: 15.18 (Debian 15.18-1)
;
; Selected TOC Entries:
;
6; 2615 16400 SCHEMA - paper lgi_mm
3; 3079 16500 EXTENSION - hstore 
3900; 0 0 COMMENT - EXTENSION hstore 
2; 3079 16501 SCHEMA - public pg_database_owner
221; 1259 16600 TABLE public jobs lgi_mm
3901; 0 16600 TABLE DATA public jobs lgi_mm
300; 1255 16700 FUNCTION public first_turn(text, text, text) lgi_mm
3500; 2606 16800 CONSTRAINT public jobs jobs_pkey lgi_mm
3501; 2620 16900 TRIGGER public fills fills_append_only lgi_mm
3502; 0 0 ACL public TABLE jobs lgi_mm
";

    #[test]
    fn a_list_says_what_is_in_it_and_what_is_not() {
        let contents = Contents::read(LIST);
        assert_eq!(contents.made(), Some("2026-11-29 03:00:00 UTC"));
        assert_eq!(contents.server(), Some("15.18 (Debian 15.18-1)"));
        assert!(contents.has_table("public", "jobs") && !contents.has_table("public", "fills"));
        let structure = [
            "table public.jobs",
            "table public.fills",
            "index public.jobs_pkey",
            "trigger public.fills.fills_append_only",
            "trigger public.fills.other",
            "function public.first_turn",
            "constraint public.jobs.jobs_a_check",
        ];
        assert_eq!(
            contents.lacks(structure.into_iter()),
            ["table public.fills", "trigger public.fills.other"]
        );
    }

    #[test]
    fn what_the_owner_of_the_target_may_not_do_is_left_out() {
        let kept = Contents::read(LIST).to_restore();
        let kinds: Vec<&str> = kept.lines().filter_map(|line| line.split(' ').nth(3)).collect();
        assert_eq!(
            kinds,
            [
                "SCHEMA",
                "EXTENSION",
                "TABLE",
                "TABLE",
                "FUNCTION",
                "CONSTRAINT",
                "TRIGGER"
            ]
        );
    }

    #[test]
    fn rows_are_read_from_what_copy_writes() {
        let copied = "SET x = 1;\n\nCOPY public._sqlx_migrations (version, success) FROM stdin;\n1\tt\n2\tf\n\\.\n\nSELECT 1;\n";
        assert_eq!(rows(copied), [["1", "t"], ["2", "f"]]);
        assert_eq!(rows("SELECT 1;\n"), Vec::<Vec<String>>::new());
    }
}
