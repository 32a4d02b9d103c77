//! The sources as a graph: which file uses which. They are parsed, so re-exports are followed to the file that defines
//! a name, and a `mod.rs` that only declares and re-exports is a door and not a room.

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
pub type Module = Vec<String>;

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
pub struct House {
    sources: BTreeMap<Module, Source>,
}

impl House {
    pub fn read(src: &Path) -> Self {
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

    pub fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
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
