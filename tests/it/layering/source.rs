//! Just enough of Rust's grammar to see which paths a file names.

use std::fmt;

/// A source file without comments, texts and tests.
pub(super) struct Source {
    name: String,
    words: Vec<String>,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}", self.name)
    }
}

/// Whether a path is another one or lies below it.
pub(super) fn has_path(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl Source {
    pub(super) fn new(name: &str, text: &str) -> Self {
        let mut words = words(&bare(text));
        drop_tests(&mut words);
        Self {
            name: name.to_owned(),
            words,
        }
    }

    /// The top-level module that the file belongs to.
    pub(super) fn layer(&self) -> &str {
        self.name
            .split('/')
            .next()
            .map_or("", |part| part.trim_end_matches(".rs"))
    }

    /// The paths from the crate's root that the file names, however it starts them.
    pub(super) fn inner_paths(&self) -> Vec<String> {
        let module: Vec<&str> = self.name.trim_end_matches(".rs").split('/').collect();
        let mut paths = Vec::new();
        for (index, word) in self.words.iter().enumerate() {
            if index > 0 && self.words[index - 1] == "::" {
                continue;
            }
            match word.as_str() {
                "crate" | "nova_bridge" => paths.extend(branches(&self.words[index + 1..])),
                "super" => {
                    let ups = self.words[index..]
                        .chunks(2)
                        .take_while(|pair| pair.first().is_some_and(|it| it == "super"))
                        .count();
                    let base = module[..module.len().saturating_sub(ups)].join("::");
                    let below = branches(&self.words[index + 2 * ups - 1..]);
                    let joined = |path: String| {
                        if base.is_empty() {
                            path
                        } else {
                            format!("{base}::{path}")
                        }
                    };
                    paths.extend(below.into_iter().map(joined));
                }
                _ => {}
            }
        }
        paths
    }

    /// Whether the file names something of a crate, or of a module of one.
    pub(super) fn names_crate(&self, name: &str) -> bool {
        let root = name.split("::").next().unwrap_or(name);
        self.words.iter().enumerate().any(|(index, word)| {
            word == root
                && branches(&self.words[index + 1..])
                    .iter()
                    .any(|path| has_path(&format!("{root}::{path}"), name))
        })
    }

    /// The crates that `use` lines name.
    pub(super) fn imported_crates(&self) -> Vec<String> {
        let mut crates = Vec::new();
        for (index, word) in self.words.iter().enumerate() {
            let next = self.words[index + 1..].iter().find(|next| *next != "::");
            if word == "use"
                && let Some(next) = next
            {
                let local = matches!(next.as_str(), "crate" | "self" | "super");
                let declared = self.words.windows(2).any(|pair| pair[0] == "mod" && &pair[1] == next);
                if !local && !declared && next.chars().all(|it| it.is_lowercase() || it == '_') {
                    crates.push(next.clone());
                }
            }
        }
        crates
    }
}

/// The paths that go on after a word: `::a::b`, or `::{a, b::c}` with all its branches.
fn branches(words: &[String]) -> Vec<String> {
    let [colons, rest @ ..] = words else { return Vec::new() };
    if colons != "::" {
        return Vec::new();
    }
    match rest.first().map(String::as_str) {
        Some("{") => group(&rest[1..]),
        Some(name) if name.starts_with(|it: char| it.is_alphabetic() || it == '_') => {
            let below = branches(&rest[1..]);
            if below.is_empty() {
                vec![name.to_owned()]
            } else {
                below.into_iter().map(|path| format!("{name}::{path}")).collect()
            }
        }
        Some(_) | None => Vec::new(),
    }
}

/// The paths of a group, up to its closing brace.
fn group(words: &[String]) -> Vec<String> {
    let mut paths = Vec::new();
    let mut depth = 0_usize;
    let mut starts = true;
    for (index, word) in words.iter().enumerate() {
        match word.as_str() {
            "{" => depth += 1,
            "}" if depth == 0 => break,
            "}" => depth -= 1,
            "," if depth == 0 => starts = true,
            name if starts && depth == 0 => {
                starts = false;
                let below = branches(&words[index + 1..]);
                if below.is_empty() {
                    paths.push(name.to_owned());
                } else {
                    paths.extend(below.into_iter().map(|path| format!("{name}::{path}")));
                }
            }
            _ => {}
        }
    }
    paths
}

/// The text without comments and without what stands in quotes.
fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            quoted(rest)
        } else if first == 'r' && !out.ends_with(|it: char| it.is_alphanumeric() || it == '_') {
            raw(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.push(' ');
            rest = &rest[skipped..];
        }
    }
    out
}

/// The length of a quoted text with its quotes.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (index, it) in text.char_indices().skip(1) {
        match it {
            '"' if !escaped => return index + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of a raw text, or 0 where there is none.
fn raw(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|it| *it == '#').count();
    let Some(inner) = text[1 + hashes..].strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    inner.find(&end).map_or(text.len(), |at| 2 + hashes + at + end.len())
}

/// The length of a character in quotes, or 0 where the quote begins a lifetime.
fn character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(0, |end| end + 4),
        Some(_) => characters
            .next()
            .filter(|(_, it)| *it == '\'')
            .map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

/// Names, `::`, and every other character on its own.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut name = String::new();
    let mut characters = text.chars().peekable();
    while let Some(it) = characters.next() {
        if it.is_alphanumeric() || it == '_' {
            name.push(it);
            continue;
        }
        if !name.is_empty() {
            words.push(std::mem::take(&mut name));
        }
        if it == ':' && characters.next_if_eq(&':').is_some() {
            words.push("::".to_owned());
        } else if !it.is_whitespace() {
            words.push(it.to_string());
        }
    }
    if !name.is_empty() {
        words.push(name);
    }
    words
}

/// Takes out the modules under `#[cfg(test)]` that stand in the file itself.
fn drop_tests(words: &mut Vec<String>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    while let Some(start) = words.windows(MARK.len()).position(|window| window == MARK) {
        let mut depth = 0_usize;
        let mut end = words.len();
        for (index, word) in words.iter().enumerate().skip(start + MARK.len()) {
            match word.as_str() {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(word.as_str(), "}" | ";") {
                end = index + 1;
                break;
            }
        }
        words.drain(start..end);
    }
}
