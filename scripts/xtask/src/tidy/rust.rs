//! Rust text as the rules look at it: comments and the insides of literals blanked out, so that a
//! search finds code and braces can be counted; and which lines are compiled for tests only.

/// The Rust side of a file. Byte for byte as long as the text it was made from.
#[derive(Debug)]
pub(crate) struct Rust {
    /// The text without comments and without the insides of strings and characters.
    pub(super) code: String,
    /// By line, from 0: whether it is compiled for tests (and benches) only.
    tests: Vec<bool>,
    /// Modules in files of their own that are declared for tests only.
    pub(super) test_modules: Vec<TestModule>,
}

/// `#[cfg(test)] mod name;`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TestModule {
    pub(super) name: String,
    /// Of a `#[path = ...]` attribute.
    pub(super) path: Option<String>,
}

/// A function's place and size.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// Of the word `fn`, from 1.
    pub(super) line: usize,
    /// From there to the closing brace.
    pub(super) lines: usize,
}

impl Rust {
    pub(super) fn new(text: &str) -> Self {
        let code = blank(text);
        let mut rust = Self { tests: vec![false; text.lines().count() + 1], test_modules: Vec::new(), code };
        rust.find_tests(text);
        rust
    }

    /// Marks the whole file as test code.
    pub(super) fn mark_as_tests(&mut self) {
        self.tests.fill(true);
    }

    /// Whether line `line`, from 1, is compiled for tests only.
    pub(super) fn is_test(&self, line: usize) -> bool {
        self.tests.get(line - 1).copied().unwrap_or(false)
    }

    /// Lines of what is not tests.
    pub(super) fn production_lines(&self) -> usize {
        self.tests.iter().filter(|is_test| !**is_test).count().saturating_sub(1)
    }

    /// Lines, from 1, in which `word` occurs as a word of its own.
    pub(super) fn lines_with(&self, word: &str) -> Vec<usize> {
        let mut lines: Vec<usize> = places(&self.code, word).map(|at| line_of(&self.code, at)).collect();
        lines.dedup();
        lines
    }

    /// As [`Self::lines_with`], outside tests.
    pub(super) fn production_lines_with(&self, word: &str) -> Vec<usize> {
        self.lines_with(word).into_iter().filter(|line| !self.is_test(*line)).collect()
    }

    /// The first segments that follow `prefix` in production code, with their lines: `a` of `crate::a::b`,
    /// and both of `crate::{a::b, c}`.
    pub(crate) fn production_paths(&self, prefix: &str) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices(prefix) {
            let line = line_of(&self.code, at);
            if self.is_test(line) {
                continue;
            }
            let rest = &self.code[at + prefix.len()..];
            match rest.strip_prefix('{') {
                None => found.push((line, word_at(rest).to_owned())),
                Some(group) => found.extend(heads(group).map(|head| (line, head))),
            }
        }
        found
    }

    /// The functions that have a body, outer ones before those inside them.
    pub(super) fn functions(&self) -> Vec<Function> {
        let named = places(&self.code, "fn").filter_map(|at| {
            let name = word_at(self.code[at + 2..].trim_start());
            let end = item_end(&self.code, at, false)?;
            let has_body = !name.is_empty() && self.code[..end].ends_with('}');
            let line = line_of(&self.code, at);
            has_body.then(|| Function { name, line, lines: line_of(&self.code, end - 1) - line + 1 })
        });
        named.collect()
    }

    fn find_tests(&mut self, text: &str) {
        let attributes: Vec<usize> = self.code.match_indices("#[cfg(").map(|(at, _)| at).collect();
        for at in attributes {
            let Some(end) = attribute_end(&self.code, at) else { continue };
            if !is_for_tests(&text[at..end]) {
                continue;
            }
            let (item, path) = self.skip_attributes(text, end);
            if let Some(name) = module_declared(&self.code[item..]) {
                self.test_modules.push(TestModule { name, path });
            }
            let line = self.code[item..].lines().next().unwrap_or_default();
            let is_field = places(line, "fn").chain(places(line, "impl")).next().is_none();
            let end = item_end(&self.code, item, is_field).unwrap_or(self.code.len());
            let lines = line_of(&self.code, at) - 1..line_of(&self.code, end.saturating_sub(1));
            self.tests[lines].fill(true);
        }
    }

    /// Where the item behind the attributes at `at` starts, and the value of a `path` among them.
    fn skip_attributes(&self, text: &str, mut at: usize) -> (usize, Option<String>) {
        let mut path = None;
        loop {
            at += self.code[at..].len() - self.code[at..].trim_start().len();
            if !self.code[at..].starts_with("#[") {
                return (at, path);
            }
            let end = attribute_end(&self.code, at).unwrap_or(self.code.len());
            if self.code[at..end].starts_with("#[path") {
                path = text[at..end].split('"').nth(1).map(str::to_owned);
            }
            at = end;
        }
    }
}

/// The first word of each item of a brace group that begins behind its brace.
fn heads(group: &str) -> impl Iterator<Item = String> {
    let mut depth = 0;
    let end = group.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth < 0
    });
    let mut depth = 0;
    let items = group[..end.unwrap_or(group.len())].split(move |c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    items.map(|item| word_at(item.trim_start()).to_owned()).filter(|head| !head.is_empty())
}

/// For tests (and something else beside), for benches, or for both.
fn is_for_tests(attribute: &str) -> bool {
    let attribute: String = attribute.split_whitespace().collect();
    attribute == "#[cfg(test)]"
        || attribute.starts_with("#[cfg(all(test,")
        || attribute == r#"#[cfg(feature="bench")]"#
        || attribute == r#"#[cfg(any(test,feature="bench"))]"#
        || attribute == r#"#[cfg(any(test,feature="frames"))]"#
        || attribute == r#"#[cfg(any(test,feature="testing"))]"#
}

/// The name in `mod name;`, whatever its visibility.
fn module_declared(item: &str) -> Option<String> {
    let declaration = &item[..item.find(['{', ';']).filter(|at| item[*at..].starts_with(';'))?];
    let (before, name) = declaration.rsplit_once("mod ")?;
    let is_visibility = before.is_empty() || before.trim_start().starts_with("pub");
    is_visibility.then(|| name.trim().to_owned())
}

/// Behind the bracket that closes the attribute at `at`.
fn attribute_end(code: &str, at: usize) -> Option<usize> {
    closing(code, at + code[at..].find('[')?)
}

/// Behind the item that starts at `at`: its closing brace, or the semicolon that ends it, or the comma
/// if it is a field. (Commas also end the bounds of a function.)
fn item_end(code: &str, at: usize, is_field: bool) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, byte) in code[at..].bytes().enumerate() {
        match byte {
            b'{' if depth == 0 => return closing(code, at + offset),
            b';' if depth == 0 => return Some(at + offset + 1),
            b',' if depth == 0 && is_field => return Some(at + offset + 1),
            b'(' | b'[' | b'<' => depth += 1,
            b'>' if code[..at + offset].ends_with(['-', '=']) => {}
            b')' | b']' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Behind the bracket that closes the one at `at`.
fn closing(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, byte) in code[at..].bytes().enumerate() {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return Some(at + offset + 1);
        }
    }
    None
}

/// Where `word` occurs in `code` with no letter of another word beside it.
fn places<'c>(code: &'c str, word: &'c str) -> impl Iterator<Item = usize> + 'c {
    let joins = |inside: Option<char>, outside: Option<char>| {
        [inside, outside].iter().all(|c| c.is_some_and(|c| c.is_alphanumeric() || c == '_'))
    };
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let (before, after) = (code[..*at].chars().next_back(), code[at + word.len()..].chars().next());
        !joins(word.chars().next(), before) && !joins(word.chars().next_back(), after)
    })
}

fn word_at(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// `text` with spaces in place of comments and of what literals contain.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let (kept, blanked) = token(rest, next);
        code.push_str(&rest[..kept]);
        code.extend(rest[kept..kept + blanked].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        rest = &rest[kept + blanked..];
    }
    code
}

/// How many bytes at the start of `rest` to keep, and how many behind those to blank.
fn token(rest: &str, next: char) -> (usize, usize) {
    if rest.starts_with("//") {
        (0, rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (0, block_comment(rest))
    } else if next == '"' {
        (1, string(&rest[1..]))
    } else if next == '\'' {
        (1, character(&rest[1..]))
    } else if next.is_alphanumeric() || next == '_' {
        let word = word_at(rest);
        let hashes = rest[word.len()..].bytes().take_while(|byte| *byte == b'#').count();
        let start = word.len() + hashes + 1;
        if ["r", "br", "cr"].contains(&word.as_str()) && rest[start - 1..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return (
                start,
                rest[start..].find(&end).unwrap_or(rest.len() - start) + end.len().min(rest.len() - start),
            );
        }
        (word.len(), 0)
    } else {
        (next.len_utf8(), 0)
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// Up to and with the quote that ends the string whose inside starts `inside`.
fn string(inside: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    inside.len()
}

/// As [`string`], for a character; nothing if it is a lifetime.
fn character(inside: &str) -> usize {
    let mut chars = inside.char_indices();
    match chars.next() {
        Some((_, '\\')) => inside[2..].find('\'').map_or(0, |at| at + 3),
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

#[cfg(test)]
mod tests;
