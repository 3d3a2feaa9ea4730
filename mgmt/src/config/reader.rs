//! Takes a TOML table apart key by key, and reports all that is wrong instead of the first.
//!
//! Every key of the contract is asked for exactly once, in the order of the contract. What nobody
//! asked for by the time of [`Reader::finish`] is an unknown key.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Report, Span};
use super::value::{self, Wrong};

/// See the module's head.
pub(super) struct Reader<'r, 'i, 't> {
    table: &'r DeTable<'i>,
    /// Where the table begins: the place of what is missing in it.
    span: Span,
    /// How operators write it: `[[service]]`.
    name: &'static str,
    asked: Vec<&'static str>,
    report: &'r mut Report<'t>,
}

/// Tables inside a table, with the place where each begins.
pub(super) type Tables<'r, 'i> = Vec<(Span, &'r DeTable<'i>)>;

impl<'r, 'i, 't> Reader<'r, 'i, 't> {
    pub(super) fn new(
        name: &'static str,
        (span, table): (Span, &'r DeTable<'i>),
        report: &'r mut Report<'t>,
    ) -> Self {
        Self { table, span, name, asked: Vec::new(), report }
    }

    fn value(&mut self, key: &'static str) -> Option<&'r Spanned<DeValue<'i>>> {
        self.asked.push(key);
        #[cfg(test)]
        ASKED.with_borrow_mut(|asked| asked.insert((self.name, key)));
        self.table.get(key)
    }

    /// An optional value.
    pub(super) fn take<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<Spanned<T>> {
        let found = self.value(key)?;
        match read(found.get_ref()) {
            Ok(value) => Some(Spanned::new(found.span(), value)),
            Err(wrong) => {
                self.refuse(key, &found.span(), wrong);
                None
            }
        }
    }

    /// An optional value whose place nobody needs, with its default.
    pub(super) fn take_or<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> T {
        self.take(key, read).map_or(default, Spanned::into_inner)
    }

    /// A value that must be there.
    pub(super) fn need<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<Spanned<T>> {
        if self.table.get(key).is_none() {
            let message = format!("{} has no `{key}`", self.name);
            self.report.error(&self.span, message).help(format!("add it, as in `{key} = {example}`"));
        }
        self.take(key, read)
    }

    /// A list; each of its items is read, so that each wrong one is named.
    pub(super) fn take_list<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<Spanned<Vec<Spanned<T>>>> {
        let found = self.value(key)?;
        let DeValue::Array(items) = found.get_ref() else {
            self.refuse(key, &found.span(), value::wrong_type("a list", found.get_ref()));
            return None;
        };
        let mut list = Vec::with_capacity(items.len());
        for item in items.iter() {
            match read(item.get_ref()) {
                Ok(value) => list.push(Spanned::new(item.span(), value)),
                Err(wrong) => self.refuse(key, &item.span(), wrong),
            }
        }
        Some(Spanned::new(found.span(), list))
    }

    /// A table, written `[key]` or in braces.
    pub(super) fn table(&mut self, key: &'static str) -> Option<(Span, &'r DeTable<'i>)> {
        let found = self.value(key)?;
        if let DeValue::Table(table) = found.get_ref() {
            return Some((found.span(), table));
        }
        self.refuse(key, &found.span(), value::wrong_type("a table", found.get_ref()));
        None
    }

    /// The tables written `[[key]]`, or in a list of braces; none if the key is absent.
    pub(super) fn tables(&mut self, key: &'static str) -> Tables<'r, 'i> {
        let Some(found) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = found.get_ref() else {
            let parent = self.name.strip_prefix("[[").and_then(|name| name.strip_suffix("]]"));
            let path = parent.map_or(key.to_owned(), |parent| format!("{parent}.{key}"));
            let help = format!("write it with two pairs of brackets: [[{path}]]");
            let wrong = value::wrong_type("a list of tables", found.get_ref()).with_help(help);
            self.refuse(key, &found.span(), wrong);
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(items.len());
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => tables.push((item.span(), table)),
                other => self.refuse(key, &item.span(), value::wrong_type("a table", other)),
            }
        }
        tables
    }

    /// The tables written `[[key]]`, or the one written `[key]`; `None` if the key is absent. An empty list is
    /// something else than none.
    pub(super) fn one_or_more(&mut self, key: &'static str) -> Option<Tables<'r, 'i>> {
        let found = self.table.get(key)?;
        match found.get_ref() {
            DeValue::Array(_) => Some(self.tables(key)),
            _ => self.table(key).map(|table| vec![table]),
        }
    }

    /// Whether a key is there, whoever asks for it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Refuses a key that belongs elsewhere.
    pub(super) fn misplaced(&mut self, key: &'static str, message: String, help: String) {
        self.asked.push(key);
        if let Some((key, found)) = self.table.get_key_value(key) {
            self.report.error(&(key.span().start..found.span().end), message).help(help);
        }
    }

    /// All keys of a table whose keys are names of the operator's own.
    pub(super) fn entries<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Vec<(Spanned<String>, Spanned<T>)> {
        let Some((_, table)) = self.table(key) else { return Vec::new() };
        let mut entries = Vec::with_capacity(table.len());
        for (name, found) in table {
            let written = Spanned::new(name.span(), name.get_ref().to_string());
            match read(found.get_ref()) {
                Ok(value) => entries.push((written, Spanned::new(found.span(), value))),
                Err(wrong) => self.refuse(written.get_ref(), &found.span(), wrong),
            }
        }
        entries
    }

    /// Reports the keys that nobody asked for; gives the report back, for tables inside this one.
    pub(super) fn finish(self) -> &'r mut Report<'t> {
        for (key, _) in self.table {
            if !self.asked.contains(&key.get_ref().as_ref()) {
                unknown_key(key, &self.asked, self.report);
            }
        }
        self.report
    }

    fn refuse(&mut self, key: &str, span: &Span, wrong: Wrong) {
        let finding = self.report.error(span, wrong.sentence(key));
        if let Some(help) = wrong.help {
            finding.help(help);
        }
    }
}

/// What has been asked for, by table, since the thread began or [`forget_asked`] was called: tests hold the
/// reference against it.
#[cfg(test)]
pub(super) fn asked() -> std::collections::BTreeSet<(&'static str, &'static str)> {
    ASKED.with_borrow(Clone::clone)
}

#[cfg(test)]
pub(super) fn forget_asked() {
    ASKED.with_borrow_mut(std::collections::BTreeSet::clear);
}

#[cfg(test)]
thread_local! {
    static ASKED: std::cell::RefCell<std::collections::BTreeSet<(&'static str, &'static str)>> =
        const { std::cell::RefCell::new(std::collections::BTreeSet::new()) };
}

/// Reports a key that does not exist, with the nearest one that does.
pub(super) fn unknown_key(key: &Spanned<impl AsRef<str>>, known: &[&'static str], report: &mut Report<'_>) {
    let written = key.get_ref().as_ref();
    let finding = report.error(&key.span(), format!("unknown key `{written}`"));
    match value::nearest(written, known) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help(format!("the keys here are {}", value::listed(known))),
    };
}
