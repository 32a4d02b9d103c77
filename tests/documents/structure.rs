//! The house as the compiler sees it: which file uses which, without circles, and no import from below to above.
//!
//! Sources are parsed, so re-exports are followed to the file that defines a name, and a `mod.rs` that only declares and
//! re-exports is a door and not a room.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, File, Item, ItemMod, UseTree, Visibility,
    visit::{self, Visit},
};

/// A source file by its place in the crate: `["chain", "node"]`; the crate's root is empty.
type Module = Vec<String>;

/// The rooms of the main crate from the ground up. A room uses rooms above it in this list only.
const FLOORS: [&[&str]; 8] = [
    &["ports", "failpoint", "trust", "telemetry"],
    &["service"],
    &["store"],
    &[
        "embedded",
        "paper",
        "chain",
        "devnet",
        "prices",
        "backtest",
        "report",
        "notify",
        "retention",
        "monitor",
    ],
    &["engine"],
    &["runner"],
    &["config"],
    &["app"],
];

/// Pairs that the floors allow, or that they would not show, and that must never be.
const NEVER: [(&str, &str); 9] = [
    ("backtest", "engine"),
    ("cli", "store"),
    ("engine", "chain"),
    ("engine", "paper"),
    ("engine", "prices"),
    ("paper", "chain"),
    ("report", "store"),
    ("store", "ports"),
    ("store", "paper"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What one file says about names.
#[derive(Default)]
struct Source {
    /// Where names come from that this file imports: a child may take them from here.
    imports: BTreeMap<String, Module>,
    /// Modules whose every public name is here too.
    globs: Vec<Module>,
    /// Absolute paths that this file itself depends on: imports that are not re-exports, and paths in its code.
    uses: BTreeSet<Module>,
}

struct Reader<'a> {
    module: &'a [String],
    /// Inline modules that we are in.
    inline: Vec<String>,
    children: BTreeSet<String>,
    source: Source,
}

impl Reader<'_> {
    /// The absolute form of a path; `None` if it begins with another crate or a local name.
    fn absolute(&self, path: &[String]) -> Option<Module> {
        let here: Module = self.module.iter().chain(&self.inline).cloned().collect();
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([here, rest.to_vec()].concat()),
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                let kept = here.len().checked_sub(up)?;
                Some([&here[..kept], &path[up..]].concat())
            }
            child if self.children.contains(child) => Some([here, path.to_vec()].concat()),
            _ => None,
        }
    }

    fn take_use(&mut self, tree: &UseTree, prefix: &mut Vec<String>, exported: bool) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.take_use(&path.tree, prefix, exported);
                prefix.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.take_use(tree, prefix, exported);
                }
            }
            UseTree::Glob(_) => {
                if let Some(path) = self.absolute(prefix) {
                    if !exported {
                        self.source.uses.insert(path.clone());
                    }
                    self.source.globs.push(path);
                }
            }
            UseTree::Name(name) => self.take_name(&name.ident.to_string(), None, prefix, exported),
            UseTree::Rename(name) => {
                self.take_name(
                    &name.ident.to_string(),
                    Some(name.rename.to_string()),
                    prefix,
                    exported,
                );
            }
        }
    }

    fn take_name(&mut self, name: &str, alias: Option<String>, prefix: &[String], exported: bool) {
        let mut path = prefix.to_vec();
        let own = if name == "self" {
            prefix.last().cloned().unwrap_or_default()
        } else {
            path.push(name.to_owned());
            name.to_owned()
        };
        if let Some(path) = self.absolute(&path) {
            if !exported {
                self.source.uses.insert(path.clone());
            }
            if self.inline.is_empty() {
                self.source.imports.insert(alias.unwrap_or(own), path);
            }
        }
    }

    fn take_path(&mut self, path: &[String]) {
        if path.len() > 1
            && let Some(path) = self.absolute(path)
        {
            self.source.uses.insert(path);
        }
    }
}

fn only_in_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if let Item::Mod(ItemMod { attrs, .. }) = item
            && only_in_tests(attrs)
        {
            return;
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if module.content.is_some() {
            self.inline.push(module.ident.to_string());
            visit::visit_item_mod(self, module);
            self.inline.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let exported = !matches!(item.vis, Visibility::Inherited);
        self.take_use(&item.tree, &mut Vec::new(), exported);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        self.take_path(&parts);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        // What stands in a macro is not parsed: paths that begin at the crate or above are found in its words.
        let text = call.tokens.to_string().replace(" :: ", "::");
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            if word.starts_with("crate::") || word.starts_with("super::") {
                let parts: Vec<String> = word.split("::").map(str::to_owned).collect();
                self.take_path(&parts);
            }
        }
        visit::visit_macro(self, call);
    }
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The place of a file; `None` for a program's own root.
fn module_of(file: &Path, src: &Path) -> Option<Module> {
    let inside = file
        .strip_prefix(src)
        .expect("a file of this crate")
        .with_extension("");
    let mut parts: Module = inside
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    match parts.last().map(String::as_str) {
        Some("main") => return None,
        Some("mod" | "lib") => drop(parts.pop()),
        _ => {}
    }
    Some(parts)
}

/// All files of one crate, and which file depends on which.
struct House {
    sources: BTreeMap<Module, Source>,
}

impl House {
    fn read(src: &Path) -> Self {
        let mut files = Vec::new();
        rust_files(src, &mut files);
        let parsed: BTreeMap<Module, File> = files
            .iter()
            .filter_map(|file| {
                let module = module_of(file, src)?;
                let text = fs::read_to_string(file).expect("source");
                let parsed =
                    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                Some((module, parsed))
            })
            .collect();
        let of_tests = modules_of_tests(&parsed);
        let places: BTreeSet<Module> = parsed.keys().cloned().collect();
        let mut sources = BTreeMap::new();
        for (module, file) in &parsed {
            if of_tests.iter().any(|tests| module.starts_with(tests)) {
                continue;
            }
            let children = places
                .iter()
                .filter(|place| place.len() == module.len() + 1 && place.starts_with(module))
                .filter_map(|place| place.last().cloned())
                .collect();
            let mut reader = Reader {
                module,
                inline: Vec::new(),
                children,
                source: Source::default(),
            };
            reader.visit_file(file);
            sources.insert(module.clone(), reader.source);
        }
        Self { sources }
    }

    /// The file that defines what an absolute path means.
    fn definer(&self, path: &[String], depth: usize) -> Option<Module> {
        let at = (0..=path.len())
            .rev()
            .find(|length| self.sources.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(at);
        let source = self.sources.get(module)?;
        let Some(name) = rest.first() else {
            return Some(module.to_vec());
        };
        if depth > 8 {
            return Some(module.to_vec());
        }
        if let Some(target) = source.imports.get(name)
            && target != path
        {
            let further = [target.clone(), rest[1..].to_vec()].concat();
            return self.definer(&further, depth + 1);
        }
        Some(module.to_vec())
    }

    fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let mut arrows = BTreeMap::new();
        for (module, source) in &self.sources {
            let targets: BTreeSet<Module> = source
                .uses
                .iter()
                .filter_map(|path| self.definer(path, 0))
                .filter(|target| target != module && !target.is_empty())
                .collect();
            arrows.insert(module.clone(), targets);
        }
        arrows
    }
}

/// Files that are declared under `#[cfg(test)]`.
fn modules_of_tests(parsed: &BTreeMap<Module, File>) -> Vec<Module> {
    let mut found = Vec::new();
    for (module, file) in parsed {
        for item in &file.items {
            if let Item::Mod(child) = item
                && only_in_tests(&child.attrs)
            {
                found.push([module.clone(), vec![child.ident.to_string()]].concat());
            }
        }
    }
    found
}

/// Sets of places that use each other in a circle, each with more than one member.
fn circles<T: Ord + Clone>(arrows: &BTreeMap<T, BTreeSet<T>>) -> Vec<BTreeSet<T>> {
    let reach = |from: &T| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.clone()];
        while let Some(at) = open.pop() {
            for next in arrows.get(&at).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&T, BTreeSet<T>> = arrows.keys().map(|from| (from, reach(from))).collect();
    let mut found: BTreeSet<BTreeSet<T>> = BTreeSet::new();
    for (from, to) in &reached {
        let circle: BTreeSet<T> = to
            .iter()
            .filter(|there| reached.get(there).is_some_and(|back| back.contains(*from)))
            .cloned()
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

fn crates() -> Vec<PathBuf> {
    let mut found = vec![root().join("src")];
    for entry in fs::read_dir(root().join("crates")).expect("crates") {
        found.push(entry.expect("an entry").path().join("src"));
    }
    found
}

/// A folder's view: each file or folder directly in it is one place; the folder's own file is `mod`.
fn seen_from(
    folder: &[String],
    arrows: &BTreeMap<Module, BTreeSet<Module>>,
) -> BTreeMap<String, BTreeSet<String>> {
    let place = |module: &Module| {
        module
            .strip_prefix(folder)
            .map(|rest| rest.first().cloned().unwrap_or_else(|| "mod".to_owned()))
    };
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, targets) in arrows {
        let Some(here) = place(from) else { continue };
        let there = targets.iter().filter_map(place).filter(|there| *there != here);
        seen.entry(here.clone()).or_default().extend(there);
    }
    seen
}

#[test]
fn no_file_and_no_folder_uses_another_in_a_circle() {
    let mut wrong = Vec::new();
    for src in crates() {
        let arrows = House::read(&src).arrows();
        for circle in circles(&arrows) {
            let mut lines = Vec::new();
            for from in &circle {
                for to in arrows[from].intersection(&circle) {
                    lines.push(format!("    {} -> {}", from.join("/"), to.join("/")));
                }
            }
            wrong.push(format!("{}: files\n{}", src.display(), lines.join("\n")));
        }
        let folders: BTreeSet<&[String]> = arrows
            .keys()
            .flat_map(|module| (0..module.len()).map(|length| &module[..length]))
            .collect();
        for folder in folders {
            for circle in circles(&seen_from(folder, &arrows)) {
                wrong.push(format!(
                    "{}/{}: folders {circle:?}",
                    src.display(),
                    folder.join("/")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} circles:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_circle_is_seen() {
    let arrows = BTreeMap::from([
        ("a", BTreeSet::from(["b"])),
        ("b", BTreeSet::from(["c"])),
        ("c", BTreeSet::from(["b"])),
    ]);
    assert_eq!(circles(&arrows), [BTreeSet::from(["b", "c"])]);
}

#[test]
fn no_room_uses_one_that_stands_above_it() {
    let arrows = House::read(&root().join("src")).arrows();
    let floor = |room: &str| FLOORS.iter().position(|floor| floor.contains(&room));
    let mut wrong = BTreeSet::new();
    for (from, targets) in &arrows {
        let Some(here) = from.first() else { continue };
        assert!(
            here == "cli" || floor(here).is_some(),
            "{here} stands on no floor"
        );
        for to in targets {
            let there = to.first().expect("a room");
            let climbs = match (floor(here), floor(there)) {
                (Some(here), Some(there)) => there > here,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if climbs || NEVER.contains(&(here.as_str(), there.as_str())) {
                wrong.insert(format!("{} uses {}", from.join("/"), to.join("/")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
